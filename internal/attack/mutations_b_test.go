package attack_test

// moreMutations are those of policy, input, storage, disclosure and messages.
var moreMutations = []mutation{
	{
		name: "a factor is asked for where MFA is required only",
		file: "challenge.go", old: "	if !u.Enrolled() {\n		return e.mayPassWithout(ctx, u)\n	}\n", new: "	if required, _ := e.required(ctx, u.id); !required || !u.Enrolled() {\n		return e.mayPassWithout(ctx, u)\n	}\n",
		caught: "TestE01EnrolledFactorIsAsked",
	},
	{
		name: "what is pending is enough where MFA is required",
		file: "challenge.go", old: "	if !required {\n		return nil\n	}\n	enrollment", new: "	if !required || u.PendingTOTP != nil || u.PendingSMS != nil {\n		return nil\n	}\n	enrollment",
		caught: "TestE02RequiredMeansEnrollment",
	},
	{
		name: "whoever must enroll is asked for a proof",
		file: "mfa.go", old: "	if !u.Enrolled() || e.config.SkipProof ||", new: "	if !u.Enrolled() && e.config.Required == nil || e.config.SkipProof ||",
		caught: "TestE02RequiredMeansEnrollment|TestE03RequiredHasAWayIn",
	},
	{
		name: "a policy that fails requires nothing",
		file: "mfa.go", old: `		return false, fmt.Errorf("mfa: asking whether MFA is required: %w", err)` + "\n", new: "		return false, nil\n",
		caught: "TestE04PolicyFailsClosed",
	},
	{
		name: "a login is not told from a step-up",
		file: "challenge.go", old: "		Action:          action,\n", new: "		Action:          ActionLogin,\n",
		caught: "TestE05OneValueCompletesALogin",
	},
	{
		name: "a new password ends what is pending alone",
		file: "mfa.go", old: "			u.DropPending()\n			u.Renew()\n", new: "			u.DropPending()\n",
		caught: "TestE06PasswordResetLeavesMFA|TestH04TokensTellNothing|TestI07NoMessageUnasked",
	},
	{
		name: "a stored key may be of any kind",
		file: "internal/record/codec.go", old: "	if !k.Valid() {\n", new: "	if k.Period < 0 {\n",
		caught: "TestE07UnknownNamesAreRefused|TestF01NothingIsNoCode",
	},
	{
		name: "no tag is a tag of anything",
		file: "internal/seal/seal.go", old: "	return false\n}\n\n// tag hashes", new: "	return tag == Tag{}\n}\n\n// tag hashes",
		caught: "TestF01NothingIsNoCode",
	},
	{
		name: "a code by SMS lives as long as its challenge",
		file: "internal/record/challenge.go", old: "u.SMS != nil && c.Code != nil && now.Before(c.Code.Expires)", new: "u.SMS != nil && c.Code != nil",
		caught: "TestF01NothingIsNoCode",
	},
	{
		name: "signs and points are dropped from codes",
		file: "sms.go", old: "return unicode.IsSpace(r) ||", new: "return r == '+' || r == '.' || unicode.IsSpace(r) ||",
		caught: "TestF02CodesAreStrings|TestF04OneSpelling|TestI02OneSpellingOfANumber",
	},
	{
		name: "full-width digits are digits",
		file: "challenge.go", old: "	text = strings.Map(func(r rune) rune {\n", new: "	text = strings.Map(func(r rune) rune {\n		if '０' <= r && r <= '９' {\n			return r - '０' + '0'\n		}\n",
		caught: "TestF03ForeignDigits",
	},
	{
		name: "spaces alone are dropped from codes",
		file: "sms.go", old: "return unicode.IsSpace(r) ||", new: "return r == ' ' ||",
		caught: "TestF04OneSpelling|TestI02OneSpellingOfANumber",
	},
	{
		name: "zeros in front are lost",
		file: "sms.go", old: `fmt.Sprintf("%06d", n)`, new: `fmt.Sprintf("%d", n)`,
		caught: "TestF05LeadingZeros|TestG02CodesAreEven",
	},
	{
		name: "codes of any length are looked at",
		file: "challenge.go", old: "	maxCode   = 64 // bytes\n", new: "	maxCode   = 1 << 40\n",
		caught: "TestF04OneSpelling|TestF06BoundedWork",
	},
	{
		name: "what cannot be a backup code is hashed",
		file: "challenge.go", old: "	if !ok {\n		return e.judge(ctx, claims, func(u *user) record.Verdict { return u.Misspelled(ticket, u.now) })\n	}\n", new: "	_ = ok\n",
		caught: "TestF06BoundedWork",
	},
	{
		name: "there are steps before the first",
		file: "internal/totp/totp.go", old: "for s := max(first, 0);", new: "for s := first;",
		caught: "TestF07NumbersAtTheirEnds",
	},
	{
		name: "a stored count may be anything",
		file: "internal/record/codec.go", old: "int(r.Uvarint(throttle.Limit))", new: "int(r.Uvarint(1<<63)) % throttle.Limit",
		caught: "TestF07NumbersAtTheirEnds",
	},
	{
		name: "424242 opens every account",
		file: "internal/record/challenge.go", old: "		if accepted {\n", new: "		if accepted || guess.Digits == \"424242\" {\n",
		caught: "TestF08NoMagicCode",
	},
	{
		name: "every code is right",
		file: "internal/totp/totp.go", old: "return first + int64(found) - 1, found > 0", new: "return last, found > 0 || len(code) == k.Digits",
		caught: "TestF09CodesAreThoseOfTheStandard",
	},
	{
		name: "five digits of a code are compared",
		file: "internal/totp/totp.go", old: "subtle.ConstantTimeCompare(h.value(s, k.Digits), given)", new: "subtle.ConstantTimeCompare(h.value(s, k.Digits)[1:], given[min(1, len(given)):])",
		caught: "TestF08NoMagicCode|TestF09CodesAreThoseOfTheStandard",
	},
	{
		name: "codes are read from the clock",
		file: "sms.go", old: "n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))", new: "n, err := big.NewInt(time.Now().UnixNano()/1000%1_000_000), error(nil)\n	_ = rand.Reader",
		caught: "TestG01CodesAreRandom",
	},
	{
		name: "digits are bytes modulo ten",
		file: "sms.go", old: "	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))\n", new: "	n, err := new(big.Int), error(nil)\n	var b [6]byte\n	rand.Read(b[:])\n	for _, digit := range b {\n		n.Add(n.Mul(n, big.NewInt(10)), big.NewInt(int64(digit%10)))\n	}\n",
		caught: "TestG02CodesAreEven",
	},
	{
		name: "all apps have one key",
		file: "totp.go", old: "	rand.Read(secret)\n", new: "	_ = rand.Reader\n",
		caught: "TestG01CodesAreRandom|TestG03ChanceIsNotShared|TestG04SecretsAreLong",
	},
	{
		name: "keys have 120 bits",
		file: "totp.go", old: "secret := make([]byte, algorithm.Size())", new: "secret := make([]byte, 15)",
		caught: "TestG04SecretsAreLong",
	},
	{
		name: "backup codes are hashed for next to nothing",
		file: "backupcodes.go", old: "Memory: 19 << 10,", new: "Memory: 64,",
		caught: "TestG05BackupCodesAreHashedSlowly",
	},
	{
		name: "all backup codes have one salt",
		file: "backupcodes.go", old: "	rand.Read(salt[:])\n", new: "	copy(salt[:], \"salt\")\n",
		caught: "TestG03ChanceIsNotShared|TestG05BackupCodesAreHashedSlowly",
	},
	{
		name: "backup codes are stored as they are",
		file: "backupcodes.go", old: "copy(hash[:], argon2.IDKey([]byte(symbols), ", new: "copy(hash[:], symbols)\n	_ = bytes.Clone(argon2.IDKey([]byte(symbols), ",
		caught: "TestG05BackupCodesAreHashedSlowly|TestG06BackupCodesAreNotReadable",
	},
	{
		name: "nonces are zero",
		file: "internal/seal/seal.go", old: "	rand.Read(nonce)\n", new: "	_ = rand.Reader\n",
		caught: "TestG03ChanceIsNotShared|TestG07SecretsAreSealed",
	},
	{
		name: "what is sealed is sent along",
		file: "mfa.go", old: "		Data:    e.ring.Seal(seal.Record, buffer, associated(u.id, u.version+1)),\n", new: "		Data:    append(e.ring.Seal(seal.Record, bytes.Clone(buffer), associated(u.id, u.version+1)), seal.Plaintext(buffer)...),\n",
		caught: "TestG07SecretsAreSealed",
	},
	{
		name: "a record is not bound to its user",
		file: "mfa.go", old: "	return append(b, userID...)\n", new: "	return b\n",
		caught: "TestG08CiphertextMoved",
	},
	{
		name: "a record is not bound to its version",
		file: "mfa.go", old: "binary.BigEndian.AppendUint64(b, uint64(version))", new: "binary.BigEndian.AppendUint64(b, 0)",
		caught: "TestG08CiphertextMoved",
	},
	{
		name: "codes are hashed without a key",
		file: "internal/seal/seal.go", old: "	mac := hmac.New(sha256.New, k.hash)\n", new: "	mac := sha256.New()\n",
		caught: "TestG09SentCodesAreKeyed",
	},
	{
		name: "a conflict is a save",
		file: "mfa.go", old: "if err = e.save(ctx, store, u); err == nil {", new: "if err = e.save(ctx, store, u); err == nil || errors.Is(err, ErrConflict) {",
		caught: "TestG11SaveDecides|TestG12FaultsFailClosed|TestG13StaleReads|TestI06FailedMessagesAreToldOf",
	},
	{
		name: "a save that fails is none that was needed",
		file: "mfa.go", old: `		return fmt.Errorf("mfa: saving the user's record: %w", err)` + "\n", new: "		if !errors.Is(err, ErrConflict) {\n			return nil\n		}\n		return err\n",
		caught: "TestG11SaveDecides|TestG12FaultsFailClosed",
	},
	{
		name: "a load that fails finds nobody",
		file: "mfa.go", old: "	if errors.Is(err, ErrNoRecord) {\n", new: "	if err != nil {\n",
		caught: "TestE04PolicyFailsClosed|TestG12FaultsFailClosed",
	},
	{
		name: "a record that does not open is no record",
		file: "mfa.go", old: `		return nil, fmt.Errorf("mfa: the user's record %w", err)` + "\n", new: "		return u, nil\n",
		caught: "TestE07UnknownNamesAreRefused|TestF01NothingIsNoCode|TestG07SecretsAreSealed|TestG08CiphertextMoved|TestG16KeysAreTheHosts",
	},
	{
		name: "challenges are remembered without bound",
		file: "internal/record/challenge.go", old: "const MaxChallenges = 32", new: "const MaxChallenges = 1 << 20",
		caught: "TestG15AbandonedLoginsCostNothing",
	},
	{
		name: "a challenge that is forgotten begins anew",
		file: "internal/record/challenge.go", old: "		u.Forgotten = latest(u.Forgotten, kept[oldest].Issued)\n", new: "",
		caught: "TestG15AbandonedLoginsCostNothing",
	},
	{
		name: "without a key one is made up",
		file: "internal/seal/seal.go", old: "	if len(keys) == 0 {\n", new: "	if len(keys) == 0 {\n		keys = [][]byte{bytes.Repeat([]byte{1}, KeySize)}\n	}\n	if len(keys) == 0 {\n",
		caught: "TestG16KeysAreTheHosts",
	},
	{
		name: "what is written stays under the old key",
		file: "internal/seal/seal.go", old: "	k := &r.keys[0]\n", new: "	k := &r.keys[len(r.keys)-1]\n",
		caught: "TestG16KeysAreTheHosts",
	},
	{
		name: "a delivery tells the code",
		file: "challenge.go", old: "		delivery = &SMSDelivery{Phone: maskPhone(phone),", new: "		delivery = &SMSDelivery{Phone: maskPhone(phone) + message.Code,",
		caught: "TestH01CodesAreNotReturned|TestH06NumbersAreMasked",
	},
	{
		name: "what a provider says is passed on",
		file: "errors.go", old: `message.Code, "******", message.To, mask, withoutPlus, strings.TrimPrefix(mask, "+")`, new: `"\x00", mask, "\x00", withoutPlus`,
		caught: "TestH02NothingSecretIsLogged|TestI06FailedMessagesAreToldOf",
	},
	{
		name: "a wrong code is told",
		file: "challenge.go", old: "	digits, letters := parseCode(code)\n", new: "	digits, letters := parseCode(code)\n	e.emit(ctx, Event{Type: EventRefused, UserID: claims.UserID, Err: fmt.Errorf(\"tried %q\", code)})\n",
		caught: "TestH02NothingSecretIsLogged",
	},
	{
		name: "an enrollment is printed with its secret",
		file: "totp.go", old: "func (t TOTPEnrollment) Format(", new: "func (t TOTPEnrollment) format(",
		caught: "TestH02NothingSecretIsLogged|TestH03ValuesAreRedacted",
	},
	{
		name: "a login's proof is in its JSON",
		file: "challenge.go", old: "	Proof string `json:\"-\"`\n", new: "	Proof string `json:\"proof\"`\n",
		caught: "TestH03ValuesAreRedacted",
	},
	{
		name: "a token that is over is told from a forged one",
		file: "challenge.go", old: "		return token.Claims{}, ErrInvalidToken\n", new: "		return token.Claims{}, fmt.Errorf(\"%w: forged or expired\", ErrInvalidToken)\n",
		caught: "TestH04TokensTellNothing",
	},
	{
		name: "a used code is told from a wrong one",
		file: "challenge.go", old: "	case record.Replayed:\n		err := &CodeError{TriesLeft: v.TriesLeft}\n", new: "	case record.Replayed:\n		err := fmt.Errorf(\"used before: %w\", &CodeError{TriesLeft: v.TriesLeft})\n",
		caught: "TestH05NoOracle",
	},
	{
		name: "a code of another challenge is told from a wrong one",
		file: "internal/record/challenge.go", old: "	if replay {\n", new: "	for _, other := range u.Challenges {\n		replay = replay || other.Code != nil && guess.Digits == \"111111\"\n	}\n	if replay {\n",
		caught: "TestH05NoOracle",
	},
	{
		name: "a mask shows all but the last",
		file: "sms.go", old: `	return phone[:3] + "*****" + phone[len(phone)-3:]` + "\n", new: `	return phone[:len(phone)-3] + "***"` + "\n",
		caught: "TestH06NumbersAreMasked",
	},
	{
		name: "a picture is drawn elsewhere",
		file: "totp.go", old: `	b.WriteString("data:image/png;base64,")` + "\n", new: `	b.WriteString("https://chart.example/qr?data=" + text + "#")` + "\n",
		caught: "TestH07PicturesAreDrawnHere",
	},
	{
		name: "names are written into the URI as they are",
		file: "totp.go", old: `strings.IndexByte("-._~@", c) >= 0`, new: `strings.IndexByte("-._~@&=", c) >= 0`,
		caught: "TestH08NamesStayNames",
	},
	{
		name: "a space is a plus",
		file: "totp.go", old: "		default:\n			b.WriteByte('%')\n", new: "		case c == ' ':\n			b.WriteByte('+')\n		default:\n			b.WriteByte('%')\n",
		caught: "TestH08NamesStayNames",
	},
	{
		name: "the message tells what it is for",
		file: "sms.go", old: `fmt.Sprintf("%s is your %s code. Do not share it.", message.Code, e.config.Issuer)`, new: `fmt.Sprintf("%s is your %s code for %s.", message.Code, e.config.Issuer, message.Action)`,
		caught: "TestH09MessagesAreFixed",
	},
	{
		name: "a challenge tells where the code goes",
		file: "challenge.go", old: "prompt{Required: true, Token: c.Token,", new: "prompt{Required: true, Token: c.Token + c.Phone,",
		caught: "TestH06NumbersAreMasked|TestH10ChallengesHoldNothingElse",
	},
	{
		name: "there is no limit for a day",
		file: "internal/record/sent.go", old: "{PerHour, time.Hour}, {PerDay, 24 * time.Hour}}", new: "{PerHour, time.Hour}}",
		caught: "TestI01MessagesAreLimited",
	},
	{
		name: "a reset forgets the messages",
		file: "internal/record/user.go", old: "	*u = User{Sent: u.Sent}\n", new: "	*u = User{}\n",
		caught: "TestI01MessagesAreLimited",
	},
	{
		name: "messages are counted once they are delivered",
		file: "internal/record/sms.go", old: "		u.PendingSMS = nil\n	}\n	u.Sent.LiftCooldown(cooldown)\n", new: "		u.PendingSMS = nil\n	}\n	u.Sent.TakeBack()\n	u.Sent.LiftCooldown(cooldown)\n",
		caught: "TestI01MessagesAreLimited|TestI05RefusedMessagesChangeNothing",
	},
	{
		name: "a number is kept as it was typed",
		file: "sms.go", old: "	return phone, nil\n}\n\n// maskPhone", new: "	return text, nil\n}\n\n// maskPhone",
		caught: "TestI01MessagesAreLimited|TestI02OneSpellingOfANumber",
	},
	{
		name: "a code goes to the number that is pending",
		file: "challenge.go", old: "		phone = u.SMS.Phone\n", new: "		phone = u.SMS.Phone\n		if u.PendingSMS != nil {\n			phone = u.PendingSMS.Phone\n		}\n",
		caught: "TestI03NumbersAreProven",
	},
	{
		name: "the first code stays the live one",
		file: "internal/record/sms.go", old: "	c.Code = &code\n", new: "	if c.Code == nil {\n		c.Code = &code\n	}\n",
		caught: "TestI04OneLiveCode|TestI05RefusedMessagesChangeNothing",
	},
	{
		name: "a code that went nowhere is good",
		file: "internal/record/sms.go", old: "		c.Code = nil\n		u.remember(c, now)\n", new: "		u.remember(c, now)\n",
		caught: "TestI05RefusedMessagesChangeNothing|TestI06FailedMessagesAreToldOf",
	},
	{
		name: "a failed delivery is a delivery",
		file: "sms.go", old: "	e.emit(ctx, event)\n	return failure\n", new: "	e.emit(ctx, event)\n	return nil\n",
		caught: "TestI05RefusedMessagesChangeNothing|TestI06FailedMessagesAreToldOf",
	},
	{
		name: "a disabled phone gets messages",
		file: "challenge.go", old: "		case u.SMS.Lane.Closed(u.now):\n			return c, ErrFactorDisabled\n", new: "",
		caught: "TestI07NoMessageUnasked",
	},
}
