package attack_test

import "github.com/protekt/mfa/internal/proof/flaw"

// mutationsEToI are flaws of policy, input, storage, disclosure and messages.
var mutationsEToI = []injected{
	{
		flaw.Mutation{
			Name: "a factor is asked for where MFA is required only",
			File: "challenge.go", Old: "	if !u.Enrolled() {\n		return e.mayPassWithout(ctx, u)\n	}\n", New: "	if required, _ := e.required(ctx, u.id); !required || !u.Enrolled() {\n		return e.mayPassWithout(ctx, u)\n	}\n",
		},
		"TestE01EnrolledFactorIsAsked",
	},
	{
		flaw.Mutation{
			Name: "what is pending is enough where MFA is required",
			File: "challenge.go", Old: "	if !required {\n		return nil\n	}\n	enrollment", New: "	if !required || u.PendingTOTP != nil || u.PendingSMS != nil {\n		return nil\n	}\n	enrollment",
		},
		"TestE02RequiredMeansEnrollment",
	},
	{
		flaw.Mutation{
			Name: "whoever must enroll is asked for a proof",
			File: "mfa.go", Old: "	if !u.Enrolled() || e.config.InsecureSkipProof ||", New: "	if !u.Enrolled() && e.config.Required == nil || e.config.InsecureSkipProof ||",
		},
		"TestE02RequiredMeansEnrollment|TestE03RequiredHasAWayIn",
	},
	{
		flaw.Mutation{
			Name: "a policy that fails requires nothing",
			File: "mfa.go", Old: `		return false, fmt.Errorf("mfa: asking whether MFA is required: %w", err)` + "\n", New: "		return false, nil\n",
		},
		"TestE04PolicyFailsClosed",
	},
	{
		flaw.Mutation{
			Name: "a login is not told from a step-up",
			File: "challenge.go", Old: "		Action:          action,\n", New: "		Action:          ActionLogin,\n",
		},
		"TestE05OneValueCompletesALogin",
	},
	{
		flaw.Mutation{
			Name: "a new password ends what is pending alone",
			File: "mfa.go", Old: "			u.DropPending()\n			u.Renew()\n", New: "			u.DropPending()\n",
		},
		"TestE06PasswordResetLeavesMFA|TestH04TokensTellNothing|TestI07NoMessageUnasked",
	},
	{
		flaw.Mutation{
			Name: "a stored key may be of any kind",
			File: "internal/record/codec.go", Old: "	if !k.Valid() {\n", New: "	if k.Period < 0 {\n",
		},
		"TestE07UnknownNamesAreRefused|TestF01NothingIsNoCode",
	},
	{
		flaw.Mutation{
			Name: "no tag is a tag of anything",
			File: "internal/seal/seal.go", Old: "	return false\n}\n\n// tag hashes", New: "	return tag == Tag{}\n}\n\n// tag hashes",
		},
		"TestF01NothingIsNoCode",
	},
	{
		flaw.Mutation{
			Name: "a code by SMS lives as long as its challenge",
			File: "internal/record/challenge.go", Old: "u.SMS != nil && c.Code != nil && now.Before(c.Code.Expires)", New: "u.SMS != nil && c.Code != nil",
		},
		"TestF01NothingIsNoCode",
	},
	{
		flaw.Mutation{
			Name: "signs and points are dropped from codes",
			File: "sms.go", Old: "return unicode.IsSpace(r) ||", New: "return r == '+' || r == '.' || unicode.IsSpace(r) ||",
		},
		"TestF02CodesAreStrings|TestF04OneSpelling|TestI02OneSpellingOfANumber",
	},
	{
		flaw.Mutation{
			Name: "full-width digits are digits",
			File: "challenge.go", Old: "	text = strings.Map(func(r rune) rune {\n", New: "	text = strings.Map(func(r rune) rune {\n		if '０' <= r && r <= '９' {\n			return r - '０' + '0'\n		}\n",
		},
		"TestF03ForeignDigits",
	},
	{
		flaw.Mutation{
			Name: "spaces alone are dropped from codes",
			File: "sms.go", Old: "return unicode.IsSpace(r) ||", New: "return r == ' ' ||",
		},
		"TestF04OneSpelling|TestI02OneSpellingOfANumber",
	},
	{
		flaw.Mutation{
			Name: "zeros in front are lost",
			File: "sms.go", Old: `fmt.Sprintf("%06d", n)`, New: `fmt.Sprintf("%d", n)`,
		},
		"TestF05LeadingZeros|TestG02CodesAreEven",
	},
	{
		flaw.Mutation{
			Name: "codes of any length are looked at",
			File: "challenge.go", Old: "	maxCode   = 64 // bytes\n", New: "	maxCode   = 1 << 40\n",
		},
		"TestF04OneSpelling",
	},
	{
		flaw.Mutation{
			Name: "what cannot be a backup code is hashed",
			File: "challenge.go", Old: "	if !ok {\n		return e.judge(ctx, claims, func(u *user) record.Verdict { return u.Misspelled(ticket, u.now) })\n	}\n", New: "	_ = ok\n",
		},
		"TestF06BoundedWork",
	},
	{
		flaw.Mutation{
			Name: "there are steps before the first",
			File: "internal/totp/totp.go", Old: "for s := max(first, 0);", New: "for s := first;",
		},
		"TestF07NumbersAtTheirEnds",
	},
	{
		flaw.Mutation{
			Name: "a stored count may be anything",
			File: "internal/record/codec.go", Old: "int(r.Uvarint(throttle.Limit))", New: "int(r.Uvarint(1<<63)) % throttle.Limit",
		},
		"TestF07NumbersAtTheirEnds",
	},
	{
		flaw.Mutation{
			Name: "424242 opens every account",
			File: "internal/record/challenge.go", Old: "		if accepted {\n", New: "		if accepted || guess.Digits == \"424242\" {\n",
		},
		"TestF08NoMagicCode",
	},
	{
		flaw.Mutation{
			Name: "every code is right",
			File: "internal/totp/totp.go", Old: "return first + int64(found) - 1, found > 0", New: "return last, found > 0 || len(code) == k.Digits",
		},
		"TestF09CodesAreThoseOfTheStandard",
	},
	{
		flaw.Mutation{
			Name: "five digits of a code are compared",
			File: "internal/totp/totp.go", Old: "subtle.ConstantTimeCompare(h.value(s, k.Digits), given)", New: "subtle.ConstantTimeCompare(h.value(s, k.Digits)[1:], given[min(1, len(given)):])",
		},
		"TestF08NoMagicCode|TestF09CodesAreThoseOfTheStandard",
	},
	{
		flaw.Mutation{
			Name: "codes are read from the clock",
			File: "sms.go", Old: "n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))", New: "n, err := big.NewInt(time.Now().UnixNano()/1000%1_000_000), error(nil)\n	_ = rand.Reader",
		},
		"TestG01CodesAreRandom",
	},
	{
		flaw.Mutation{
			Name: "digits are bytes modulo ten",
			File: "sms.go", Old: "	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))\n", New: "	n, err := new(big.Int), error(nil)\n	var b [6]byte\n	rand.Read(b[:])\n	for _, digit := range b {\n		n.Add(n.Mul(n, big.NewInt(10)), big.NewInt(int64(digit%10)))\n	}\n",
		},
		"TestG02CodesAreEven",
	},
	{
		flaw.Mutation{
			Name: "all apps have one key",
			File: "totp.go", Old: "	rand.Read(secret)\n", New: "	_ = rand.Reader\n",
		},
		"TestG01CodesAreRandom|TestG03ChanceIsNotShared|TestG04SecretsAreLong",
	},
	{
		flaw.Mutation{
			Name: "keys have 120 bits",
			File: "totp.go", Old: "secret := make([]byte, algorithm.Size())", New: "secret := make([]byte, 15)",
		},
		"TestG04SecretsAreLong",
	},
	{
		flaw.Mutation{
			Name: "backup codes are hashed for next to nothing",
			File: "backupcodes.go", Old: "Memory: 19 << 10,", New: "Memory: 64,",
		},
		"TestG05BackupCodesAreHashedSlowly",
	},
	{
		flaw.Mutation{
			Name: "all backup codes have one salt",
			File: "backupcodes.go", Old: "	rand.Read(salt[:])\n", New: "	copy(salt[:], \"salt\")\n",
		},
		"TestG03ChanceIsNotShared|TestG05BackupCodesAreHashedSlowly",
	},
	{
		flaw.Mutation{
			Name: "backup codes are stored as they are",
			File: "backupcodes.go", Old: "copy(hash[:], argon2.IDKey([]byte(symbols), ", New: "copy(hash[:], symbols)\n	_ = bytes.Clone(argon2.IDKey([]byte(symbols), ",
		},
		"TestG05BackupCodesAreHashedSlowly|TestG06BackupCodesAreNotReadable",
	},
	{
		flaw.Mutation{
			Name: "nonces are zero",
			File: "internal/seal/seal.go", Old: "	rand.Read(nonce)\n", New: "	_ = rand.Reader\n",
		},
		"TestG03ChanceIsNotShared|TestG07SecretsAreSealed",
	},
	{
		flaw.Mutation{
			Name: "what is sealed is sent along",
			File: "mfa.go", Old: "		Data:    e.ring.Seal(seal.Record, buffer, associated(u.id, u.version+1)),\n", New: "		Data:    append(e.ring.Seal(seal.Record, bytes.Clone(buffer), associated(u.id, u.version+1)), seal.Plaintext(buffer)...),\n",
		},
		"TestG07SecretsAreSealed",
	},
	{
		flaw.Mutation{
			Name: "a record is not bound to its user",
			File: "mfa.go", Old: "	return append(b, userID...)\n", New: "	return b\n",
		},
		"TestG08CiphertextMoved",
	},
	{
		flaw.Mutation{
			Name: "a record is not bound to its version",
			File: "mfa.go", Old: "binary.BigEndian.AppendUint64(b, uint64(version))", New: "binary.BigEndian.AppendUint64(b, 0)",
		},
		"TestG08CiphertextMoved",
	},
	{
		flaw.Mutation{
			Name: "codes are hashed without a key",
			File: "internal/seal/seal.go", Old: "	mac := hmac.New(sha256.New, k.hash)\n", New: "	mac := sha256.New()\n",
		},
		"TestG09SentCodesAreKeyed",
	},
	{
		flaw.Mutation{
			Name: "a conflict is a save",
			File: "mfa.go", Old: "if err = e.save(ctx, store, u); err == nil {", New: "if err = e.save(ctx, store, u); err == nil || errors.Is(err, ErrConflict) {",
		},
		"TestG11SaveDecides|TestG12FaultsFailClosed|TestG13StaleReads|TestI06FailedMessagesAreToldOf",
	},
	{
		flaw.Mutation{
			Name: "a save that fails is none that was needed",
			File: "mfa.go", Old: `		return fmt.Errorf("mfa: saving the user's record: %w", err)` + "\n", New: "		if !errors.Is(err, ErrConflict) {\n			return nil\n		}\n		return err\n",
		},
		"TestG11SaveDecides|TestG12FaultsFailClosed",
	},
	{
		flaw.Mutation{
			Name: "a load that fails finds nobody",
			File: "mfa.go", Old: "	if errors.Is(err, ErrNoRecord) {\n", New: "	if err != nil {\n",
		},
		"TestE04PolicyFailsClosed|TestG12FaultsFailClosed",
	},
	{
		flaw.Mutation{
			Name: "a record that does not open is no record",
			File: "mfa.go", Old: `		return nil, fmt.Errorf("mfa: the user's record %w", err)` + "\n", New: "		return u, nil\n",
		},
		"TestE07UnknownNamesAreRefused|TestF01NothingIsNoCode|TestG07SecretsAreSealed|TestG08CiphertextMoved|TestG16KeysAreTheHosts",
	},
	{
		flaw.Mutation{
			Name: "challenges are remembered without bound",
			File: "internal/record/challenge.go", Old: "const MaxChallenges = 32", New: "const MaxChallenges = 1 << 20",
		},
		"TestG15AbandonedLoginsCostNothing",
	},
	{
		flaw.Mutation{
			Name: "a challenge that is forgotten begins anew",
			File: "internal/record/challenge.go", Old: "		u.Forgotten = latest(u.Forgotten, kept[oldest].Issued)\n", New: "",
		},
		"TestG15AbandonedLoginsCostNothing",
	},
	{
		flaw.Mutation{
			Name: "without a key one is made up",
			File: "internal/seal/seal.go", Old: "	if len(keys) == 0 {\n", New: "	if len(keys) == 0 {\n		keys = [][]byte{bytes.Repeat([]byte{1}, KeySize)}\n	}\n	if len(keys) == 0 {\n",
		},
		"TestG16KeysAreTheHosts",
	},
	{
		flaw.Mutation{
			Name: "what is written stays under the old key",
			File: "internal/seal/seal.go", Old: "	k := &r.keys[0]\n", New: "	k := &r.keys[len(r.keys)-1]\n",
		},
		"TestG16KeysAreTheHosts",
	},
	{
		flaw.Mutation{
			Name: "a delivery tells the code",
			File: "challenge.go", Old: "		delivery = &SMSDelivery{Phone: maskPhone(phone),", New: "		delivery = &SMSDelivery{Phone: maskPhone(phone) + message.Code,",
		},
		"TestH01CodesAreNotReturned|TestH06NumbersAreMasked",
	},
	{
		flaw.Mutation{
			Name: "what a provider says is passed on",
			File: "errors.go", Old: `message.Code, "******", message.To, mask, withoutPlus, strings.TrimPrefix(mask, "+")`, New: `"\x00", mask, "\x00", withoutPlus`,
		},
		"TestH02NothingSecretIsLogged|TestI06FailedMessagesAreToldOf",
	},
	{
		flaw.Mutation{
			Name: "a wrong code is told",
			File: "challenge.go", Old: "	digits, letters := parseCode(code)\n", New: "	digits, letters := parseCode(code)\n	e.emit(ctx, Event{Type: EventRefused, UserID: claims.UserID, Err: fmt.Errorf(\"tried %q\", code)})\n",
		},
		"TestH02NothingSecretIsLogged",
	},
	{
		flaw.Mutation{
			Name: "an enrollment is printed with its secret",
			File: "totp.go", Old: "func (t TOTPEnrollment) Format(", New: "func (t TOTPEnrollment) format(",
		},
		"TestH02NothingSecretIsLogged|TestH03ValuesAreRedacted",
	},
	{
		flaw.Mutation{
			Name: "a login's proof is in its JSON",
			File: "challenge.go", Old: "	Proof string `json:\"-\"`\n", New: "	Proof string `json:\"proof\"`\n",
		},
		"TestH03ValuesAreRedacted",
	},
	{
		flaw.Mutation{
			Name: "a token that is over is told from a forged one",
			File: "challenge.go", Old: "		return token.Claims{}, ErrInvalidToken\n", New: "		return token.Claims{}, fmt.Errorf(\"%w: forged or expired\", ErrInvalidToken)\n",
		},
		"TestH04TokensTellNothing",
	},
	{
		flaw.Mutation{
			Name: "a used code is told from a wrong one",
			File: "challenge.go", Old: "	case record.Replayed:\n		err := &CodeError{TriesLeft: v.TriesLeft}\n", New: "	case record.Replayed:\n		err := fmt.Errorf(\"used before: %w\", &CodeError{TriesLeft: v.TriesLeft})\n",
		},
		"TestH05NoOracle",
	},
	{
		flaw.Mutation{
			Name: "a code of another challenge is told from a wrong one",
			File: "internal/record/challenge.go", Old: "	if replay {\n", New: "	for _, other := range u.Challenges {\n		replay = replay || other.Code != nil && guess.Digits == \"111111\"\n	}\n	if replay {\n",
		},
		"TestH05NoOracle",
	},
	{
		flaw.Mutation{
			Name: "a mask shows all but the last",
			File: "sms.go", Old: `	return phone[:3] + "*****" + phone[len(phone)-3:]` + "\n", New: `	return phone[:len(phone)-3] + "***"` + "\n",
		},
		"TestH06NumbersAreMasked",
	},
	{
		flaw.Mutation{
			Name: "a picture is drawn elsewhere",
			File: "totp.go", Old: `	b.WriteString("data:image/png;base64,")` + "\n", New: `	b.WriteString("https://chart.example/qr?data=" + text + "#")` + "\n",
		},
		"TestH07PicturesAreDrawnHere",
	},
	{
		flaw.Mutation{
			Name: "names are written into the URI as they are",
			File: "totp.go", Old: `strings.IndexByte("-._~@", c) >= 0`, New: `strings.IndexByte("-._~@&=", c) >= 0`,
		},
		"TestH08NamesStayNames",
	},
	{
		flaw.Mutation{
			Name: "a space is a plus",
			File: "totp.go", Old: "		default:\n			b.WriteByte('%')\n", New: "		case c == ' ':\n			b.WriteByte('+')\n		default:\n			b.WriteByte('%')\n",
		},
		"TestH08NamesStayNames",
	},
	{
		flaw.Mutation{
			Name: "the message tells what it is for",
			File: "sms.go", Old: `fmt.Sprintf("%s is your %s code. Do not share it.", message.Code, e.config.Issuer)`, New: `fmt.Sprintf("%s is your %s code for %s.", message.Code, e.config.Issuer, message.Action)`,
		},
		"TestH09MessagesAreFixed",
	},
	{
		flaw.Mutation{
			Name: "a challenge tells where the code goes",
			File: "challenge.go", Old: "prompt{Required: true, Token: c.Token,", New: "prompt{Required: true, Token: c.Token + c.Phone,",
		},
		"TestH06NumbersAreMasked|TestH10ChallengesHoldNothingElse",
	},
	{
		flaw.Mutation{
			Name: "there is no limit for a day",
			File: "internal/record/sent.go", Old: "{PerHour, time.Hour}, {PerDay, 24 * time.Hour}}", New: "{PerHour, time.Hour}}",
		},
		"TestI01MessagesAreLimited",
	},
	{
		flaw.Mutation{
			Name: "a reset forgets the messages",
			File: "internal/record/user.go", Old: "	*u = User{Sent: u.Sent}\n", New: "	*u = User{}\n",
		},
		"TestI01MessagesAreLimited",
	},
	{
		flaw.Mutation{
			Name: "messages are counted once they are delivered",
			File: "internal/record/sms.go", Old: "		u.PendingSMS = nil\n	}\n	u.Sent.LiftCooldown(cooldown)\n", New: "		u.PendingSMS = nil\n	}\n	u.Sent.TakeBack()\n	u.Sent.LiftCooldown(cooldown)\n",
		},
		"TestI01MessagesAreLimited|TestI05RefusedMessagesChangeNothing",
	},
	{
		flaw.Mutation{
			Name: "a number is kept as it was typed",
			File: "sms.go", Old: "	return phone, nil\n}\n\n// maskPhone", New: "	return text, nil\n}\n\n// maskPhone",
		},
		"TestI01MessagesAreLimited|TestI02OneSpellingOfANumber",
	},
	{
		flaw.Mutation{
			Name: "a code goes to the number that is pending",
			File: "challenge.go", Old: "		phone = u.SMS.Phone\n", New: "		phone = u.SMS.Phone\n		if u.PendingSMS != nil {\n			phone = u.PendingSMS.Phone\n		}\n",
		},
		"TestI03NumbersAreProven",
	},
	{
		flaw.Mutation{
			Name: "the first code stays the live one",
			File: "internal/record/sms.go", Old: "	c.Code = &code\n", New: "	if c.Code == nil {\n		c.Code = &code\n	}\n",
		},
		"TestI04OneLiveCode|TestI05RefusedMessagesChangeNothing",
	},
	{
		flaw.Mutation{
			Name: "a code that went nowhere is good",
			File: "internal/record/sms.go", Old: "		c.Code = nil\n		u.remember(c, now)\n", New: "		u.remember(c, now)\n",
		},
		"TestI05RefusedMessagesChangeNothing|TestI06FailedMessagesAreToldOf",
	},
	{
		flaw.Mutation{
			Name: "a failed delivery is a delivery",
			File: "sms.go", Old: "	e.emit(ctx, event)\n	return failure\n", New: "	e.emit(ctx, event)\n	return nil\n",
		},
		"TestI05RefusedMessagesChangeNothing|TestI06FailedMessagesAreToldOf",
	},
	{
		flaw.Mutation{
			Name: "a disabled phone gets messages",
			File: "challenge.go", Old: "		case u.SMS.Lane.Closed(u.now):\n			return c, ErrFactorDisabled\n", New: "",
		},
		"TestI07NoMessageUnasked",
	},
}
