package attack_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/throttle"
)

// deep returns everything in a value, including fields that no fmt verb prints.
func deep(v any) string {
	var b strings.Builder
	var walk func(v reflect.Value, depth int)
	walk = func(v reflect.Value, depth int) {
		if depth > 10 || !v.IsValid() {
			return
		}
		if v.Type() == reflect.TypeFor[time.Time]() {
			return // no text
		}
		switch v.Kind() {
		case reflect.String:
			b.WriteString(v.String() + "\n")
		case reflect.Pointer, reflect.Interface:
			walk(v.Elem(), depth+1)
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), depth+1)
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
				b.Write(v.Bytes())
				b.WriteByte('\n')
				return
			}
			for i := range v.Len() {
				walk(v.Index(i), depth+1)
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(key, depth+1)
				walk(v.MapIndex(key), depth+1)
			}
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			fmt.Fprintln(&b, v.Int())
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			fmt.Fprintln(&b, v.Uint())
		}
	}
	walk(reflect.ValueOf(v), 0)
	return b.String()
}

// shown returns a value in every form in which it may leave a host: as text, as
// JSON, in a log, and field by field, as gob and others encode it.
func shown(v any) string {
	var b bytes.Buffer
	b.WriteString(world.Printed(v, world.VerbsInside) + world.Logged("value", v) + deep(v))
	if data, err := json.Marshal(v); err == nil {
		b.Write(data)
	}
	return b.String()
}

// H01: the call that sends a code returns it too.
func TestH01CodesAreNotReturned(t *testing.T) {
	w := world.New(t)
	results := make(map[string]any)
	var codes []string
	returned := func(name string, values ...any) {
		for i, value := range values {
			results[fmt.Sprint(name, " ", i)] = value
		}
	}
	delivery, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	returned("EnrollSMS", delivery, err)
	codes = append(codes, w.Outbox.Code(world.Phone))
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, world.WrongSMS(codes[0]))
	returned("VerifyEnrollment, wrong", err)
	login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, codes[0])
	world.OK(t, err)
	returned("VerifyEnrollment", login)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "ada", mfa.WithProof(login.Proof))
	world.OK(t, err)
	app := w.Scan(enrollment.URI)
	for offset := -time.Minute; offset <= time.Minute; offset += 30 * time.Second {
		codes = append(codes, app.Code(w.Clock.Now().Add(offset)))
	}
	returned("EnrollTOTP", enrollment)
	w.Clock.Advance(time.Minute)
	err = w.BeginLogin(w.Ctx, "ada")
	returned("BeginLogin", err)
	token := world.Challenged(t, err).Token
	delivery, err = w.SendCode(w.Ctx, token)
	returned("SendCode", delivery, err)
	code := w.Outbox.Code(world.Phone)
	codes = append(codes, code)
	again, err := w.SendCode(w.Ctx, token)
	returned("SendCode, too soon", again, err)
	_, err = w.VerifyLogin(w.Ctx, token, world.WrongSMS(code))
	returned("VerifyLogin, wrong", err)
	login, err = w.VerifyLogin(w.Ctx, token, code)
	world.OK(t, err)
	returned("VerifyLogin", login)
	status, err := w.Status(w.Ctx, "ada")
	returned("Status", status, err)
	w.Outbox.FailWith(errors.New("provider is down"))
	w.Clock.Advance(time.Minute)
	_, err = w.SendCode(w.Ctx, w.Begin("ada").Token)
	returned("SendCode, not delivered", err)
	if len(results) < 15 {
		t.Fatalf("only %d results", len(results))
	}
	if leak(shown(w.Outbox.Messages()), code) == "" {
		t.Error("the search does not find the code in the message that contains it")
	}
	for name, result := range results {
		if strings.Contains(name, "wrong") && !errors.Is(result.(error), mfa.ErrInvalidCode) {
			t.Errorf("%s: %v", name, result)
		}
		text := shown(result)
		for _, code := range codes {
			if found := leak(text, code); found != "" {
				t.Errorf("%s returns the code %s, as %q", name, code, found)
			}
		}
	}
}

// openFields lists the fields that hold no secret, though their types could.
var openFields = []string{"Action", "Methods", "Phone", "UserID", "Method", "AMR", "Issuer", "Domain", "Algorithm", "Type", "Data",
	"ID", "FactorID", "ChallengeID", "Label", "ReplacedPhone", "Handle", "Account", "Options"}

// H03 (GHSA-75v4-m273-5j49): a value that holds a secret shows it when it is
// printed, logged or marshaled.
func TestH03ValuesAreRedacted(t *testing.T) {
	const mark = "S3CR3TS3CR3T"
	w := world.New(t, func(c *mfa.Config) { c.Keys = [][]byte{[]byte(strings.Repeat(mark, 3)[:31] + "\x00")} })
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
	// Each exported type, its secret fields, and whether its JSON is for the
	// client, who needs them.
	samples := map[string]struct {
		value   any
		secrets []string
		client  bool
	}{
		"TOTPEnrollment":   {new(mfa.TOTPEnrollment), []string{"URI", "Secret", "QRCode"}, true},
		"Challenge":        {new(mfa.Challenge), []string{"Token"}, true},
		"ChallengeError":   {new(mfa.ChallengeError), []string{"Token"}, true},
		"EnrollmentError":  {new(mfa.EnrollmentError), []string{"Token"}, true},
		"Login":            {new(mfa.Login), []string{"Proof"}, false},
		"TrustedDevice":    {new(mfa.TrustedDevice), []string{"Token"}, false},
		"SMS":              {new(mfa.SMS), []string{"To", "Body", "Code"}, false},
		"Config":           {&mfa.Config{Issuer: "x"}, []string{"Keys"}, false},
		"Engine":           {w.Engine, nil, false},
		"MemoryStore":      {w.Store, nil, false},
		"Record":           {new(mfa.Record), nil, false},
		"ChangeOption":     {new(mfa.WithProof(mark)), nil, false},
		"LoginOption":      {new(mfa.WithTrustedDevice(mark)), nil, false},
		"SendOption":       {new(mfa.ToFactor(mark)), nil, false},
		"Event":            {&mfa.Event{UserID: "ada", Err: &mfa.ChallengeError{Challenge: mfa.Challenge{Token: mark}}}, nil, false},
		"Status":           {new(mfa.Status), nil, true},
		"Factor":           {new(mfa.Factor), nil, true},
		"SMSDelivery":      {new(mfa.SMSDelivery), nil, true},
		"CodeError":        {new(mfa.CodeError), nil, false},
		"ThrottledError":   {new(mfa.ThrottledError), nil, false},
		"SMSConfig":        {new(mfa.SMSConfig), nil, false},
		"TOTPConfig":       {new(mfa.TOTPConfig), nil, false},
		"BackupCodeConfig": {new(mfa.BackupCodeConfig), nil, false},
		"Method":           {new(mfa.MethodTOTP), nil, false},
		"EventType":        {new(mfa.EventRefused), nil, false},
		"Algorithm":        {new(mfa.SHA1), nil, false},
		"Store":            {new(mfa.Store), nil, false},     // the host's
		"SMSSender":        {new(mfa.SMSSender), nil, false}, // the host's

		// WebAuthn's challenges, handles and credentials are public.
		"PasskeyVerifier":   {new(mfa.PasskeyVerifier), nil, false},
		"PasskeyEnrollment": {new(mfa.PasskeyEnrollment), nil, true},
		"PasskeyUser":       {new(mfa.PasskeyUser), nil, false},
		"Passkey":           {new(mfa.Passkey), nil, false},
	}
	var names []string
	for _, file := range engineSource(t) {
		if !strings.Contains(file.name, "/") { // package mfa
			names = append(names, file.exportedTypes()...)
		}
	}
	if len(names) < 25 {
		t.Fatalf("only %d exported types", len(names))
	}
	for _, name := range names {
		sample, ok := samples[name]
		if !ok {
			t.Errorf("%s is not among the samples", name)
			continue
		}
		value := reflect.ValueOf(sample.value).Elem()
		for _, field := range sample.secrets {
			switch f := value.FieldByName(field); f.Kind() {
			case reflect.String:
				f.SetString(mark)
			default:
				f.Set(reflect.ValueOf([][]byte{[]byte(mark)}))
			}
		}
		if value.Kind() == reflect.Struct {
			for i := range value.NumField() {
				field := value.Type().Field(i)
				kind := field.Type.Kind()
				text := kind == reflect.String || kind == reflect.Slice && field.Type.Elem().Kind() != reflect.Struct
				if field.IsExported() && text && !slices.Contains(sample.secrets, field.Name) && !slices.Contains(openFields, field.Name) {
					t.Errorf("say in this test whether %s.%s is a secret", name, field.Name)
				}
			}
		}
		for form, v := range map[string]any{"by pointer": sample.value, "by value": value.Interface()} {
			if name == "MemoryStore" && form == "by value" {
				continue // it contains locks
			}
			out := world.Printed(v, world.Verbs) + world.Printed([]any{v}, world.VerbsInside) + world.Printed(map[string]any{"x": v}, world.VerbsInside) +
				world.Printed(struct{ V any }{v}, world.VerbsInside) + world.Logged("value", v)
			if err, isError := v.(error); isError {
				wrapped := fmt.Errorf("wrapped: %w", errors.Join(err, errors.New("other")))
				out += err.Error() + world.Printed(wrapped, world.VerbsInside) + world.Logged("error", wrapped)
			}
			data, err := json.Marshal(v)
			if err == nil && !sample.client {
				out += string(data)
			}
			if sample.client && len(sample.secrets) > 0 && !bytes.Contains(data, []byte(mark)) {
				t.Errorf("%s %s: the secret is missing from the client's JSON: %s", name, form, data)
			}
			for _, secret := range []string{mark, "JBSWY3DPEHPK3PXP", world.Phone} {
				if as := spelled([]byte(out), secret); as != nil {
					t.Errorf("%s %s shows %q", name, form, as)
				}
			}
			if list := fmt.Sprint([]byte(mark)); strings.Contains(out, list[1:len(list)-1]) {
				t.Errorf("%s %s shows the bytes of %s", name, form, mark)
			}
		}
	}
}

// sentinels lists the errors that a caller can distinguish.
var sentinels = []error{mfa.ErrInvalidCode, mfa.ErrInvalidToken, mfa.ErrNotEnrolled, mfa.ErrNoPendingEnrollment, mfa.ErrEnforced, mfa.ErrMethodUnavailable,
	mfa.ErrInvalidPhone, mfa.ErrInvalidUser, mfa.ErrInvalidInput, mfa.ErrDelivery, mfa.ErrFactorDisabled, mfa.ErrAlreadyEnrolled, mfa.ErrClonedPasskey, mfa.ErrNoRecord, mfa.ErrConflict}

// told returns everything that an error reveals to a caller: its type and fields,
// its text, its code, and the sentinels that errors.Is finds in it. Tokens, which
// differ each time, are replaced.
func told(err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%T %v %s", err, err, mfa.ErrorCode(err))
	for i, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			fmt.Fprint(&b, " is", i)
		}
	}
	if err != nil {
		b.WriteString(regexp.MustCompile(`mfa_(tmp|enr|prf|dev)_[\w-]+`).ReplaceAllString(deep(err), "token"))
	}
	return b.String()
}

// H04: answers reveal who has an account, a factor or a delay, before anything
// was proved. The web example tests what the host reveals before the first
// factor; this test, that a bad token reveals nothing more than that it is
// invalid, and that an unknown user looks like one without MFA.
func TestH04TokensTellNothing(t *testing.T) {
	required := false
	w := world.New(t, world.RequiredWhen(&required))
	ada, bob := w.Given("ada", world.Phone), w.Given("bob", world.Phone2)
	foreign := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(100)}; c.Store = mfa.NewMemoryStore() })
	world.OK(t, foreign.ImportTOTP(w.Ctx, "ada", importedURI))
	bad := map[string]string{
		"empty": "", "garbage": "garbage", "the kind alone": "mfa_tmp_", "of another engine": world.Challenged(t, foreign.BeginLogin(w.Ctx, "ada")).Token,
		"a proof": ada.Proof, "another's proof": bob.Proof,
	}
	bad["used"] = w.Begin("ada").Token
	_, err := w.VerifyLogin(w.Ctx, bad["used"], ada.Shows())
	world.OK(t, err)
	w.Clock.Advance(time.Minute)
	bad["used up"] = w.Begin("ada").Token
	for range 5 {
		w.VerifyLogin(w.Ctx, bad["used up"], "zz")
	}
	bad["expired"] = w.Begin("ada").Token
	w.Clock.Advance(5 * time.Minute)
	bad["for another action"] = stepUp("transfer").open(w, "ada")
	bad["a changed bit"] = w.Begin("ada").Token
	bad["a changed bit"] = bad["a changed bit"][:40] + strings.Map(func(r rune) rune { return 'A' + ('B'-r)&1 }, bad["a changed bit"][40:41]) + bad["a changed bit"][41:]
	bad["of a deleted user"] = func() string {
		w.Given("eve", "+15005550006")
		token := w.Begin("eve").Token
		world.OK(t, w.DeleteUser(w.Ctx, "eve"))
		return token
	}()
	bad["before the password changed"] = w.Begin("bob").Token
	world.OK(t, w.PasswordChanged(w.Ctx, "bob"))
	good := w.Begin("ada").Token
	world.OK(t, w.Unlock(w.Ctx, "ada"))

	want := told(mfa.ErrInvalidToken)
	for name, token := range bad {
		for _, code := range []string{ada.Shows(), bob.Shows(), ada.Codes[0], ada.Wrong(), "?"} {
			_, err := w.VerifyLogin(w.Ctx, token, code)
			if told(err) != want {
				t.Errorf("%s, %q: %s", name, code, told(err))
			}
		}
		_, sendErr := w.SendCode(w.Ctx, token)
		_, userErr := w.EnrollmentUser(w.Ctx, token)
		if name != "for another action" && told(sendErr) != want || told(userErr) != want {
			t.Errorf("%s: SendCode returned %v, EnrollmentUser %v", name, sendErr, userErr)
		}
	}
	_, err = w.VerifyLogin(w.Ctx, good, ada.Shows())
	world.OK(t, err)

	// An unknown user looks like one without MFA, whether it is required or not.
	world.OK(t, w.ImportSMS(w.Ctx, "former", "+15005550006"))
	world.OK(t, w.Reset(w.Ctx, "former"))
	for _, required = range []bool{false, true} {
		for name, ask := range map[string]func(user string) (any, error){
			"BeginLogin":  func(user string) (any, error) { return nil, w.BeginLogin(w.Ctx, user) },
			"BeginStepUp": func(user string) (any, error) { return w.BeginStepUp(w.Ctx, user, "x") },
			"Status":      func(user string) (any, error) { return w.Status(w.Ctx, user) },
			"VerifyEnrollment": func(user string) (any, error) {
				return w.VerifyEnrollment(w.Ctx, user, mfa.MethodTOTP, "123456")
			},
			"Unenroll":            func(user string) (any, error) { return nil, w.Unenroll(w.Ctx, user, mfa.MethodTOTP) },
			"GenerateBackupCodes": func(user string) (any, error) { return w.GenerateBackupCodes(w.Ctx, user) },
			"TrustDevice":         func(user string) (any, error) { return w.TrustDevice(w.Ctx, user, "mfa_prf_", "") },
			"Unlock":              func(user string) (any, error) { return nil, w.Unlock(w.Ctx, user) },
		} {
			formerly, formerErr := ask("former")
			unknown, unknownErr := ask("nobody")
			if told(formerErr) != told(unknownErr) || deep(formerly) != deep(unknown) {
				t.Errorf("%s, required %v: %v, %v for a former user, %v, %v for an unknown one", name, required, formerly, formerErr, unknown, unknownErr)
			}
		}
	}
	required = false

	// Nor does the challenge reveal a delay.
	before := told(w.BeginLogin(w.Ctx, "ada"))
	for range 5 {
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Wrong())
	}
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Shows())
	wantThrottled(t, err)
	if got := told(w.BeginLogin(w.Ctx, "ada")); got != before {
		t.Errorf("a delayed user's challenge reveals\n%s, want\n%s", got, before)
	}
}

// H05: the answer to a wrong code reveals which factor it was for, that it was
// once right, or how many tries are left elsewhere.
func TestH05NoOracle(t *testing.T) {
	// answerOf sets up new users each time, and returns the answer, the events and
	// the counts.
	answerOf := func(prepare func(w *world.World, ada, bob person) (token, code string)) string {
		w := world.New(t)
		ada, bob := w.Given("ada", world.Phone), w.Given("bob", world.Phone2)
		token, code := prepare(w, ada, bob)
		w.NewEvents()
		login, err := w.VerifyLogin(w.Ctx, token, code)
		if login != nil {
			t.Errorf("the code is accepted: %+v", login)
		}
		return fmt.Sprintln(told(err), w.NewEvents(), w.Decoded("ada").Lanes)
	}
	sent := func(w *world.World) string { // returns a challenge for which a code was sent
		token := w.Begin("ada").Token
		w.SentCode(token)
		return token
	}
	wrong := answerOf(func(w *world.World, ada, _ person) (string, string) { return sent(w), ada.Wrong() })
	if !strings.Contains(wrong, "invalid_code") {
		t.Fatalf("the answer to a wrong code is %s", wrong)
	}
	for name, prepare := range map[string]func(w *world.World, ada, bob person) (token, code string){
		"another user's code": func(w *world.World, _, bob person) (string, string) { return sent(w), bob.Shows() },
		"a code of the app, too old": func(w *world.World, ada, _ person) (string, string) {
			return sent(w), ada.Code(w.Clock.Now().Add(-2 * time.Minute))
		},
		"a code of an app that is not confirmed": func(w *world.World, ada, _ person) (string, string) {
			pending, err := w.EnrollTOTP(w.Ctx, "ada", "ada", mfa.WithProof(ada.Proof))
			world.OK(t, err)
			return sent(w), w.Scan(pending.URI).Shows()
		},
	} {
		if got := answerOf(prepare); got != wrong {
			t.Errorf("the answer to %s is\n%s, to a wrong code\n%s", name, got, wrong)
		}
	}
	// The code sent for another challenge is answered as a wrong code is, when
	// the same messages were sent.
	twice := func(pick func(w *world.World, ada person, first, firstCode, second string) string) string {
		return answerOf(func(w *world.World, ada, _ person) (string, string) {
			scriptCodes(t, 111_111, 222_222)
			first := w.Begin("ada").Token
			firstCode := w.SentCode(first)
			w.Clock.Advance(30 * time.Second)
			second := w.Begin("ada").Token
			w.SentCode(second)
			return second, pick(w, ada, first, firstCode, second)
		})
	}
	wrong = twice(func(*world.World, person, string, string, string) string { return "333333" })
	if got := twice(func(_ *world.World, _ person, _, firstCode, _ string) string { return firstCode }); got != wrong {
		t.Errorf("the answer to another challenge's code is\n%s, to a wrong one\n%s", got, wrong)
	}
	// A spent backup code is answered as a wrong one is.
	backup := func(code func(ada person) string) string {
		return answerOf(func(w *world.World, ada, _ person) (string, string) {
			w.Login("ada", ada.Codes[0])
			return w.Begin("ada").Token, code(ada)
		})
	}
	if spent, wrong := backup(func(ada person) string { return ada.Codes[0] }), backup(func(person) string { return "aaaa-aaaa" }); spent != wrong {
		t.Errorf("the answer to a spent backup code is\n%s, to a wrong one\n%s", spent, wrong)
	}

	// While a factor is delayed or disabled, a right code is answered as a wrong
	// one is.
	for name, change := range map[string]func(lane *throttle.Lane, now time.Time){
		"delayed":  func(lane *throttle.Lane, now time.Time) { lane.Consecutive, lane.LastFailure = 20, now },
		"disabled": func(lane *throttle.Lane, _ time.Time) { lane.Disabled = true },
	} {
		shut := func(code func(ada person) string) string {
			return answerOf(func(w *world.World, ada, _ person) (string, string) {
				token := w.Begin("ada").Token
				w.Tamper("ada", func(u *record.User) {
					for _, f := range u.Factors() {
						change(u.Lane(f.Method), w.Clock.Now())
					}
				})
				return token, code(ada)
			})
		}
		right, wrong := shut(func(ada person) string { return ada.Shows() }), shut(func(ada person) string { return ada.Wrong() })
		if right != wrong {
			t.Errorf("%s, the answer to a right code is\n%s, to a wrong one\n%s", name, right, wrong)
		}
		right, wrong = shut(func(ada person) string { return ada.Codes[0] }), shut(func(person) string { return "aaaa-aaaa" })
		if right != wrong {
			t.Errorf("%s, the answer to a right backup code is\n%s, to a wrong one\n%s", name, right, wrong)
		}
	}

	// As documented, a code of the app that was used costs no try, and the answer
	// reports that it is spent. Nothing but these two fields differs.
	w := world.New(t)
	ada := w.Given("ada", world.Phone)
	w.Login("ada", ada.Shows())
	_, replayed := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Shows())
	_, refused := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Wrong())
	world.WantTries(t, replayed, 5)
	world.WantTries(t, refused, 4)
	for err, want := range map[error]mfa.CodeError{replayed: {TriesLeft: 5, Spent: true}, refused: {TriesLeft: 4}} {
		var code mfa.CodeError
		if !errors.As(err, &code) || told(err) != told(&want) {
			t.Errorf("the answer is\n%s, want\n%s", told(err), told(&want))
		}
	}
}

// H06: an attacker who has the password learns the phone number.
func TestH06NumbersAreMasked(t *testing.T) {
	for _, phone := range []string{"+1234567", "+12345678", "+123456789", "+1234567890", "+12345678901", "+123456789012", "+1234567890123", "+12345678901234", "+123456789012345"} {
		ends := 3
		if len(phone) < len("+1234567890") {
			ends = 2
		}
		mask := phone[:ends] + "*****" + phone[len(phone)-ends:]
		hidden := phone[ends : len(phone)-ends]
		for name, spelling := range map[string]string{"plain": phone, "spaced": phone[:3] + " (" + phone[3:5] + ") " + phone[5:]} {
			w := world.New(t)
			begun, err := w.EnrollSMS(w.Ctx, "ada", spelling)
			world.OK(t, err)
			login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, w.Outbox.Code(phone))
			world.OK(t, err)
			w.Clock.Advance(time.Minute)
			challenge := w.Begin("ada")
			sent, err := w.SendCode(w.Ctx, challenge.Token)
			world.OK(t, err)
			step, err := w.BeginStepUp(w.Ctx, "ada", "x")
			world.OK(t, err)
			manage := world.Challenged(t, w.Unenroll(w.Ctx, "ada", mfa.MethodSMS))
			for place, got := range map[string]string{
				"EnrollSMS": begun.Phone, "BeginLogin": phoneOf(challenge.Challenge), "SendCode": sent.Phone,
				"BeginStepUp": phoneOf(*step), "Unenroll": phoneOf(manage.Challenge), "Status": w.Factor("ada", mfa.MethodSMS).Phone,
			} {
				if got != mask {
					t.Errorf("%s shows %s as %q, want %q", place, phone, got, mask)
				}
			}
			_, wrong := w.VerifyLogin(w.Ctx, challenge.Token, world.WrongSMS(w.Outbox.Code(phone)))
			_, early := w.SendCode(w.Ctx, challenge.Token)
			_, odd := w.EnrollSMS(w.Ctx, "bob", phone+"x")
			for place, value := range map[string]any{
				"EnrollSMS": begun, "BeginLogin": challenge, "SendCode": sent, "BeginStepUp": step, "Unenroll": manage,
				"Status": w.StatusOf("ada"), "VerifyLogin": login, "a wrong code": wrong, "a message too soon": early, "an odd number": odd,
			} {
				text := shown(value)
				for _, token := range regexp.MustCompile(`mfa_\w\w\w_([\w-]+)`).FindAllStringSubmatch(text, -1) {
					body, err := base64.RawURLEncoding.DecodeString(token[1])
					world.OK(t, err)
					text += string(body)
				}
				if strings.Contains(text, phone) || len(hidden) > 3 && strings.Contains(text, hidden) {
					t.Errorf("%s, %s: it reveals %s", place, name, phone)
				}
			}
			if body := world.JSON(t, challenge); strings.Contains(body, phone[:3]) || strings.Contains(body, "*") {
				t.Errorf("the client's JSON contains the number: %s", body)
			}
		}
	}
}

// H07: the QR code of the secret is drawn by a third party's server.
func TestH07PicturesAreDrawnHere(t *testing.T) {
	deps := goList(t, "-deps", ".")
	if !slices.Contains(deps, "image/png") {
		t.Fatalf("the list of dependencies is incomplete: %v", deps)
	}
	for _, path := range deps {
		if path == "net" || strings.HasPrefix(path, "net/http") || path == "os/exec" || path == "plugin" || path == "syscall/js" {
			t.Errorf("the engine depends on %s", path)
		}
	}
	w := world.New(t)
	for _, account := range []string{"a", "ada@example.com", strings.Repeat("long ", 20) + "x"} {
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", account)
		world.OK(t, err)
		if !strings.HasPrefix(enrollment.URI, "otpauth://totp/") || strings.Contains(shown(enrollment)+world.JSON(t, enrollment), "http") {
			t.Errorf("the enrollment contains a link: %s", enrollment.URI)
		}
		if !strings.HasPrefix(enrollment.QRCode, "data:image/png;base64,") { // TestQRCodeHoldsTheURI decodes it
			t.Errorf("not a picture: %.40s", enrollment.QRCode)
		}
		login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
		world.OK(t, err)
		w.Clock.Advance(time.Minute)
		world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)))
	}
}

// H08: a name in the key URI becomes a parameter of it.
func TestH08NamesStayNames(t *testing.T) {
	wellFormed := regexp.MustCompile(`^otpauth://totp/[A-Za-z0-9%._~@-]+:[A-Za-z0-9%._~@-]+\?secret=[A-Z2-7]+&issuer=[A-Za-z0-9%._~@-]+$`)
	check := func(issuer, account string) (taken bool) {
		t.Helper()
		config := world.New(t).Config
		config.Issuer = issuer
		engine, err := mfa.New(config)
		if err != nil {
			if !errors.Is(err, mfa.ErrInvalidInput) {
				t.Errorf("issuer %q: %v", issuer, err)
			}
			return false
		}
		enrollment, err := engine.EnrollTOTP(t.Context(), "ada", account)
		if err != nil {
			if !errors.Is(err, mfa.ErrInvalidInput) {
				t.Errorf("account %q: %v", account, err)
			}
			return false
		}
		uri, err := url.Parse(enrollment.URI)
		if err != nil || !wellFormed.MatchString(enrollment.URI) {
			t.Errorf("%q, %q: %s, %v", issuer, account, enrollment.URI, err)
			return true
		}
		query, err := url.ParseQuery(uri.RawQuery)
		want := url.Values{"secret": {enrollment.Secret}, "issuer": {issuer}}
		if err != nil || !reflect.DeepEqual(query, want) || uri.Path != "/"+issuer+":"+account || uri.Fragment != "" || uri.Host != "totp" {
			t.Errorf("%q, %q: parsed as %v, %v, %v", issuer, account, uri, query, err)
		}
		key, err := otp.NewKeyFromURL(enrollment.URI) // as an app would parse it
		if err != nil || key.Secret() != enrollment.Secret || key.Issuer() != issuer || key.AccountName() != account || key.Period() != 30 || key.Digits() != otp.DigitsSix {
			t.Errorf("%q, %q: another library parsed %v, %v", issuer, account, key, err)
		}
		return true
	}
	if !check("ACME", "ada@example.com") {
		t.Fatal("a plain name is refused")
	}
	for name, taken := range map[string]bool{
		"a&secret=AAAA": true, "a?period=1": true, "a#b": true, "a/b": true, "a%2Fb": true, "100%": true, "a=b": true, "a+b": true, "a b": true, `a"b`: true, "a<b>": true, "a;b": true,
		"a'b": true, "a\\b": true, "é": true, "日本": true, "%3A": true, "&issuer=x&secret=JBSWY3DPEHPK3PXP": true, "@": true, "a\u0301": true, "a\u200cb": true, "क\u094d\u200dष": true,
		"\u200da": false, "a\u200c": false, "a\u200d\u200cb": false, "a\u200d@": false, "1\u200d2": false, "a \u200cb": false,
		"a:b": false, ":": false, "a\nb": false, "a\x00b": false, "a\r\n": false, "\u202eb": false, "a\u200bb": false, "a\xff": false, "": false, "a\tb": false, strings.Repeat("a", 10<<10): false,
	} {
		if got := check("ACME", name); got != taken {
			t.Errorf("the account %.40q is accepted: %v, want %v", name, got, taken)
		}
		if got := check(name, "ada"); got != taken {
			t.Errorf("the issuer %.40q is accepted: %v, want %v", name, got, taken)
		}
	}
}

// H09: a message contains text chosen by somebody else.
func TestH09MessagesAreFixed(t *testing.T) {
	const evil = "evil.example http://evil.example/?"
	for _, domain := range []string{"", "login.example.com"} {
		w := world.New(t, func(c *mfa.Config) { c.SMSCodes.Domain = domain })
		world.OK(t, w.ImportSMS(w.Ctx, evil, world.Phone))
		world.OK(t, w.ImportTOTP(w.Ctx, evil, "otpauth://totp/evil.example?secret=JBSWY3DPEHPK3PXP&issuer=evil.example"))
		w.SentCode(w.Begin(evil).Token)
		w.Clock.Advance(time.Minute)
		w.SentCode(stepUp(evil).open(w, evil))
		_, err := w.EnrollSMS(w.Ctx, "evil.example", "+1 (415) 555-2671")
		world.OK(t, err)
		messages := w.Outbox.Messages()
		if len(messages) != 3 {
			t.Fatalf("%d messages", len(messages))
		}
		for i, message := range messages {
			purpose := []string{"to sign in", "to confirm an action", "to confirm this phone number"}[i]
			want := message.Code + " is your ACME Co code " + purpose + ". Do not share it."
			if domain != "" {
				want += "\n\n@" + domain + " #" + message.Code
			}
			if message.Body != want {
				t.Errorf("%q, want %q", message.Body, want)
			}
		}
	}
	// The longest text, for a change of factors, fits one message of 160 characters
	// even with a long issuer.
	w := world.New(t, func(c *mfa.Config) { c.Issuer = strings.Repeat("a", 89) })
	w.GiveSMS("ada", world.Phone)
	w.SentCode(stepUp(mfa.ActionManage).open(w, "ada"))
	body := w.Outbox.Messages()[1].Body
	if len(body) > 160 || !strings.Contains(body, w.Config.Issuer+" code to change your security settings.") {
		t.Errorf("%d characters: %q", len(body), body)
	}
}

// H10: a pending login already returns the user's profile.
func TestH10ChallengesHoldNothingElse(t *testing.T) {
	required := true
	w := world.New(t, world.RequiredWhen(&required))
	user := "ada.lovelace@example.com"
	ada := w.Given(user, world.Phone)
	fields := func(v any) (names []string) {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if !field.Anonymous {
				names = append(names, field.Name)
			}
		}
		return names
	}
	if got, want := fields(mfa.ChallengeError{}), []string{"Token", "Action", "Methods", "Factors", "ExpiresAt"}; !slices.Equal(got, want) {
		t.Errorf("a challenge has %v, want %v", got, want)
	}
	if got, want := fields(mfa.EnrollmentError{}), []string{"Token", "Methods", "ExpiresAt"}; !slices.Equal(got, want) {
		t.Errorf("an enrollment has %v, want %v", got, want)
	}
	challenge, enrollment := w.Begin(user), w.MustEnroll("grace.hopper@example.com")
	for body, want := range map[string]string{
		world.JSON(t, challenge):  `{"mfa_required":true,"mfa_token":"` + challenge.Token + `","available_methods":["totp","sms","backup_code"]}`,
		world.JSON(t, enrollment): `{"mfa_enrollment_required":true,"mfa_token":"` + enrollment.Token + `","available_methods":["totp","sms"]}`,
	} {
		if body != want {
			t.Errorf("the client's JSON is %s, want %s", body, want)
		}
	}
	for _, token := range []string{challenge.Token, enrollment.Token} {
		body, err := base64.RawURLEncoding.DecodeString(token[len("mfa_tmp_"):])
		world.OK(t, err)
		for _, secret := range []string{user, "ada", "lovelace", "grace", "example.com", mfa.ActionLogin, world.Phone} {
			if bytes.Contains(body, []byte(secret)) {
				t.Errorf("the token shows %s", secret)
			}
		}
	}
	login, err := w.VerifyLogin(w.Ctx, challenge.Token, ada.Shows())
	if err != nil || login.UserID != user { // returned now, and not before
		t.Errorf("%+v, %v", login, err)
	}
}
