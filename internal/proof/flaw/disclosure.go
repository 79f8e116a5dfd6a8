package flaw

// disclosure are flaws of what is shown.
var disclosure = []Flaw{
	{
		Name:   "a delivery tells the code",
		In:     "mfa: (*Engine).send",
		Old:    "maskPhone(message.To)",
		New:    "maskPhone(message.To) + message.Code",
		Caught: "H01 H06",
	},
	{
		Name:   "what a provider says is passed on",
		In:     "mfa: newDeliveryError",
		Old:    `strings.NewReplacer(message.Code, "******", message.To, mask, withoutPlus, strings.TrimPrefix(mask, "+"))`,
		New:    `strings.NewReplacer("\x00", mask, "\x00", withoutPlus)`,
		Caught: "H02 I06",
	},
	{
		Name:  "a wrong code is told",
		In:    "mfa: (*Engine).verify",
		Old:   "ticket := ticketOf(claims)",
		Where: []string{"input, err := parseAnswer(answered)", "e.openChallenge(ctx, text)"},
		New: `ticket := ticketOf(claims)
e.emit(ctx, Event{Type: EventRefused, UserID: claims.UserID, Err: fmt.Errorf("tried %q", answered)})`,
		Caught: "H02",
	},
	{
		Name: "an enrollment is printed with its secret",
		In:   "mfa: TOTPEnrollment.Format",
		Old:  "io.WriteString(f, t.redacted())",
		New: `type plain TOTPEnrollment
fmt.Fprintf(f, "%+v", plain(t))`,
		Caught: "H02 H03",
	},
	{
		Name:   "a login's proof is in its JSON",
		In:     "mfa: Login",
		Old:    "`json:\"-\"`",
		New:    "`json:\"proof\"`",
		Caught: "H03",
	},
	{
		Name:   "a token that is over is told from a forged one",
		In:     "mfa: (*Engine).openToken",
		Old:    "return token.Claims{}, ErrInvalidToken",
		New:    `return token.Claims{}, fmt.Errorf("%w: forged or expired", ErrInvalidToken)`,
		Caught: "H04",
	},
	{
		Name:   "a used code does not say so",
		In:     "mfa: (*user).report",
		Old:    "Spent: true",
		New:    "Spent: false",
		Caught: "H05",
	},
	{
		Name:  "a code of another challenge is told from a wrong one",
		In:    "record: (*User).Answer",
		Old:   "replay := false",
		Where: []string{"u.acceptTOTP(guess, now)"},
		New: `replay := false
for _, other := range u.Challenges {
	replay = replay || other.Code != nil && guess.Digits == "111111"
}`,
		Caught: "H05",
	},
	{
		Name:   "a mask shows all but the last",
		In:     "mfa: maskPhone",
		Old:    `phone[:shown] + "*****" + phone[len(phone)-shown:]`,
		New:    `phone[:len(phone)-shown] + "***"`,
		Caught: "H06",
	},
	{
		Name:   "a picture is drawn elsewhere",
		In:     "otpauth: QRCode",
		Old:    `"data:image/png;base64,"`,
		Where:  []string{"qr.Encode(text, qr.M, qr.Auto)"},
		New:    `"https://chart.example/qr?data=" + text + "#"`,
		Caught: "H07",
	},
	{
		Name:   "names are written into the URI as they are",
		In:     "otpauth: Escape",
		Old:    `"-._~@"`,
		New:    `"-._~@&="`,
		Caught: "H08",
	},
	{
		Name:  "a space is a plus",
		In:    "otpauth: Escape",
		Old:   "b.WriteByte('%')",
		Where: []string{"c := s[i]"},
		New: `if c == ' ' {
	b.WriteByte('+')
	continue
}
b.WriteByte('%')`,
		Caught: "H08",
	},
	{
		Name:   "the message has the action's own words",
		In:     "mfa: (*Engine).text",
		Old:    `purpose := "to confirm an action"`,
		Where:  []string{"e.config.SMSCodes.Text(ctx, message)"},
		New:    `purpose := "for " + message.Action`,
		Caught: "H09",
	},
	{
		Name:   "a challenge tells where the code goes",
		In:     "mfa: Challenge.MarshalJSON",
		Old:    "Token: c.Token",
		New:    "Token: c.Token + fmt.Sprint(c.Factors)",
		Caught: "H06 H10",
	},
	{
		Name:   "a short number is masked as a long one",
		In:     "mfa: maskPhone",
		Old:    "shown = 2",
		New:    "shown = 3",
		Caught: "H06",
	},
	{
		Name:   "joiners may end a word",
		In:     "mfa: isName",
		Old:    "inWord(i+1)",
		New:    "true",
		Caught: "H08",
	},
	{
		Name:   "a login's message looks like any other",
		In:     "mfa: (*Engine).text",
		Old:    `purpose = "to sign in"`,
		Caught: "H09",
	},
}
