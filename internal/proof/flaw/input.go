package flaw

// input are flaws of reading what people type and stores return.
var input = []Flaw{
	{
		Name:   "a stored key may be of any kind",
		In:     "record: readKey",
		Old:    "!k.Valid()",
		New:    "k.Period < 0",
		Caught: "E07 F01",
	},
	{
		Name:   "no tag is a tag of anything",
		In:     "seal: (*Ring).Verify",
		Old:    "return false",
		Where:  []string{"r.keys[i].id == tag.Key"},
		New:    "return tag == Tag{}",
		Caught: "F01",
	},
	{
		Name:   "a code by SMS lives as long as its challenge",
		In:     "record: (*User).oneTime",
		Old:    "u.SMS != nil && c.Code != nil && now.Before(c.Code.Expires)",
		New:    "u.SMS != nil && c.Code != nil",
		Caught: "F01",
	},
	{
		Name:   "signs and points are dropped from codes",
		In:     "mfa: normalRune",
		Old:    "unicode.IsSpace(r)",
		New:    "r == '+' || r == '.' || unicode.IsSpace(r)",
		Caught: "F02 F04 I02",
	},
	{
		Name:   "what is only like a digit is a digit",
		In:     "mfa: normalRune",
		Old:    "unicode.IsDigit(r)",
		New:    "unicode.IsNumber(r)",
		Caught: "F03",
	},
	{
		Name:   "spaces alone are dropped from codes",
		In:     "mfa: normalRune",
		Old:    "unicode.IsSpace(r)",
		New:    "r == ' '",
		Caught: "F04 I02",
	},
	{
		Name:   "zeros in front are lost",
		In:     "mfa: newSMSCode",
		Old:    `"%06d"`,
		New:    `"%d"`,
		Caught: "F05 G02",
	},
	{
		Name:   "codes of any length are looked at",
		In:     "mfa: maxTyped",
		Old:    "256",
		New:    "1 << 40",
		Caught: "F04",
	},
	{
		Name:   "what cannot be a backup code is hashed",
		In:     "mfa: (*Engine).verify",
		Old:    "!ok",
		New:    "false && !ok",
		Caught: "F06",
	},
	{
		Name:   "there are steps before the first",
		In:     "totp: Key.Match",
		Old:    "max(first, 0)",
		New:    "first",
		Caught: "F07",
	},
	{
		Name:   "a stored count may be anything",
		In:     "record: readFactor",
		Old:    "int(r.Uvarint(throttle.Limit))",
		New:    "int(r.Uvarint(1<<63)) % throttle.Limit",
		Caught: "F07",
	},
	{
		Name: "424242 opens every account",
		In:   "record: (*User).Answer",
		Old: `if accepted {
	return u.accept(c, f, now)
}`,
		Where: []string{"guess.Sent(c.Code.Tag)"},
		New: `if accepted || guess.Digits == "424242" {
	return u.accept(c, f, now)
}`,
		Caught: "F08",
	},
	{
		Name:   "every code is right",
		In:     "totp: Key.Match",
		Old:    "return first + int64(found) - 1, found > 0",
		Where:  []string{"given := []byte(code)", "h.init(k)", "s <= last"},
		New:    "return last, found > 0 || len(code) == k.Digits",
		Caught: "F09",
	},
	{
		Name:   "five digits of a code are compared",
		In:     "totp: Key.Match",
		Old:    "subtle.ConstantTimeCompare(h.value(s, k.Digits), given)",
		New:    "subtle.ConstantTimeCompare(h.value(s, k.Digits)[1:], given[min(1, len(given)):])",
		Caught: "F08 F09",
	},
}
