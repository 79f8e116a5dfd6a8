package flaw

// messages are flaws of codes by SMS.
var messages = []Flaw{
	{
		Name:   "there is no limit for a day",
		In:     "record: (*Sent).NextAt",
		Old:    "{PerDay, 24 * time.Hour}",
		Caught: "I01",
	},
	{
		Name:   "messages for a challenge are not limited by time",
		In:     "record: (*User).NextSend",
		Old:    "latest(u.Sent.NextAt(), u.RetryAt(MethodSMS))",
		New:    "u.RetryAt(MethodSMS)",
		Caught: "I01 TestRandomHistories/profiles/messages",
	},
	{
		Name:   "messages to enroll a phone are not limited",
		In:     "mfa: (*Engine).EnrollSMS",
		Old:    "return phone, u.Sent.NextAt(), err",
		New:    "return phone, time.Time{}, err",
		Caught: "I01 TestRandomHistories/profiles/messages",
	},
	{
		Name:   "messages to a number are not counted",
		In:     "mfa: (*Engine).countNumber",
		Old:    "number.Sent.Count(number.now)",
		Caught: "TestRandomHistories/profiles/messages",
	},
	{
		Name:   "messages to a number are counted user by user",
		In:     "mfa: (*Engine).countNumber",
		Old:    "e.numberID(phone)",
		Where:  []string{"&user{id: d.userID, now: number.now, silent: number.silent}"},
		New:    "e.numberID(d.userID + phone)",
		Caught: "I01 TestRandomHistories/profiles/messages",
	},
	{
		Name:   "messages to a confirmed number count against it",
		In:     "mfa: (*Engine).countNumber",
		Old:    "d.about.Action != ActionEnroll",
		New:    "false",
		Caught: "TestRandomHistories/profiles/messages",
	},
	{
		Name:   "a number has a cooldown",
		In:     "mfa: (*Engine).countNumber",
		Old:    "number.Sent.Count(number.now)",
		New:    "number.Sent.Add(number.now, 0)",
		Caught: "TestRandomHistories/profiles/clock",
	},
	{
		Name: "a message goes though its number could not be counted",
		In:   "mfa: (*Engine).send",
		Old: `if err := e.countNumber(ctx, d, phone); err != nil {
	return nil, err
}`,
		New: `if err := e.countNumber(ctx, d, phone); errors.As(err, new(*ThrottledError)) {
	return nil, err
}`,
		Caught: "TestRandomHistories/profiles/faults",
	},
	{
		Name:   "a reset forgets the messages",
		In:     "record: (*User).Reset",
		Old:    "User{Sent: u.Sent, Generated: u.Generated}",
		New:    "User{}",
		Caught: "I01",
	},
	{
		Name: "messages are counted once they are delivered",
		In:   "record: (*User).PendingUndelivered",
		Old:  "u.Sent.LiftCooldown(cooldown)",
		New: `u.Sent.TakeBack()
u.Sent.LiftCooldown(cooldown)`,
		Caught: "I01 I05",
	},
	{
		Name:   "a number is kept as it was typed",
		In:     "mfa: parsePhone",
		Old:    "return phone, nil",
		Where:  []string{"len(text) > maxTyped"},
		New:    "return text, nil",
		Caught: "I01 I02",
	},
	{
		Name: "a code goes to the number that is pending",
		In:   "mfa: (*Engine).SendCode",
		Old:  "return to(u).Phone, u.NextSend(c), nil",
		New: `destination := to(u).Phone
if u.PendingPhone() != "" {
	destination = u.PendingPhone()
}
return destination, u.NextSend(c), nil`,
		Caught: "I03",
	},
	{
		Name: "the first code stays the live one",
		In:   "record: (*User).Send",
		Old:  "c.Code = &code",
		New: `if c.Code == nil {
	c.Code = &code
}`,
		Caught: "I04 I05",
	},
	{
		Name:   "a code that went nowhere is good",
		In:     "record: (*User).Undelivered",
		Old:    "c.Code = nil",
		Caught: "I05 I06 TestRandomHistories/profiles/messages",
	},
	{
		Name:   "a failed delivery is a delivery",
		In:     "mfa: (*Engine).deliver",
		Old:    "return failure",
		New:    "return nil",
		Caught: "I05 I06",
	},
	{
		Name:   "a disabled phone gets messages",
		In:     "mfa: (*Engine).SendCode",
		Old:    "u.Lane(MethodSMS).Closed(u.now)",
		New:    "false",
		Caught: "I07",
	},
	{
		Name:   "a zero in brackets is part of the number",
		In:     "mfa: parsePhone",
		Old:    `strings.Contains(phone, "(0)")`,
		New:    "false",
		Caught: "I02",
	},
	{
		Name:   "unlocking leaves the messages counted",
		In:     "record: (*User).Unlock",
		Old:    "u.Sent, u.Generated = Sent{}, nil",
		Caught: "I01",
	},
}
