package attack_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
)

const step = 30 * time.Second // of an app with default settings

// A01: an app's code works again while it is shown
// (CVE-2015-7225, CVE-2021-45331, CVE-2026-33473, CVE-2025-43798).
func TestA01SameCodeTwice(t *testing.T) {
	for name, settings := range map[string]mfa.TOTPConfig{
		"defaults":                      {},
		"strict":                        {Strict: true},
		"SHA256, 8 digits, of a minute": {Algorithm: mfa.SHA256, Digits: 8, Period: time.Minute},
		"SHA512, of 7 seconds":          {Algorithm: mfa.SHA512, Period: 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t, func(c *mfa.Config) { c.TOTP = settings })
			period := settings.Period
			if period == 0 {
				period = step
			}
			app, _ := w.GiveTOTP("ada")
			accepted := w.Clock.Now().Truncate(period).Add(2 * period)
			w.Clock.Set(accepted)
			code := app.Shows()
			w.Login("ada", code)
			for _, later := range []time.Duration{0, 1, period / 2, period - 1, period, 2*period - 1, 2 * period} {
				w.Clock.Set(accepted.Add(later))
				world.OK(t, w.Unlock(w.Ctx, "ada")) // so that no delay hides the result
				for _, d := range doors {
					if _, err := d.enter(w.Ctx, w.Another(), d.open(w, "ada"), code); !isInvalidCode(err) {
						t.Errorf("%v later, for %s: %v", later, d.name, err)
					}
				}
			}
			w.Clock.Set(accepted.Add(period))
			w.Login("ada", app.Shows())
		})
	}
}

// A02: the wrong time step is recorded as spent, or it is forgotten too soon
// (CVE-2021-43177).
func TestA02CodeOfANeighbourStep(t *testing.T) {
	for matched := -1; matched <= 1; matched++ {
		for later := range 4 {
			w := world.New(t)
			app, _ := w.GiveTOTP("ada")
			start := w.Clock.Now()
			at := func(n int) time.Time { return start.Add(time.Duration(n) * step) }
			w.Login("ada", app.Code(at(matched)))
			w.Clock.Set(at(later))
			for old := matched; old >= -2; old-- {
				if _, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, app.Code(at(old))); !isInvalidCode(err) {
					t.Errorf("step %+d was accepted; %d steps later, step %+d: %v", matched, later, old, err)
				}
			}
			if next := max(matched+1, later-1); next <= later+1 {
				w.Login("ada", app.Code(at(next)))
			}
		}
	}
}

// A03: another spelling of a spent code passes as another code, or is counted as
// one (CVE-2025-6014, CVE-2025-6015, CVE-2025-55000, CVE-2025-55003).
func TestA03OtherSpellings(t *testing.T) {
	const (
		same    = "the same code"
		wrong   = "a wrong code"
		nothing = "no code"
	)
	for _, test := range []struct {
		name  string
		spell func(code string) string
		is    string
	}{
		{"as it is", func(c string) string { return c }, same},
		{"space in front", func(c string) string { return " " + c }, same},
		{"line break behind", func(c string) string { return c + "\r\n" }, same},
		{"space inside", func(c string) string { return c[:3] + " " + c[3:] }, same},
		{"no-break space", func(c string) string { return "\u00a0" + c }, same},
		{"thin space", func(c string) string { return c[:3] + "\u2009" + c[3:] }, same},
		{"dash", func(c string) string { return c[:3] + "-" + c[3:] }, same},
		{"en dash", func(c string) string { return c[:3] + "\u2013" + c[3:] }, same},
		{"tabs", func(c string) string { return strings.Join(strings.Split(c, ""), "\t") }, same},
		{"zero-width space", func(c string) string { return "\u200b" + c }, same},
		{"byte order mark", func(c string) string { return "\ufeff" + c }, same},
		{"embedded", func(c string) string { return "\u202a" + c + "\u202c" }, same},
		{"variation selectors", func(c string) string { return strings.Join(strings.Split(c, ""), "\ufe0f") }, same},
		{"full width", func(c string) string { return moved(c, '０') }, same},
		{"Arabic-Indic", func(c string) string { return moved(c, '٠') }, same},
		{"two scripts", func(c string) string { return moved(c[:3], '०') + moved(c[3:], '𝟎') }, same},
		{"in quotes, with a full stop", func(c string) string { return "“" + c + "”." }, same},
		{"a hash in front", func(c string) string { return "#" + c }, same},
		{"as long as may be", func(c string) string { return c + strings.Repeat(" ", 250) }, same},
		{"zero in front", func(c string) string { return "0" + c }, wrong},
		{"zero behind", func(c string) string { return c + "0" }, wrong},
		{"last digit missing", func(c string) string { return c[:5] }, wrong},
		{"twice", func(c string) string { return c + c }, wrong},
		{"letter behind", func(c string) string { return c + "a" }, nothing}, // since she has no backup codes
		{"plus sign", func(c string) string { return "+" + c }, nothing},
		{"NUL behind", func(c string) string { return c + "\x00" }, nothing},
		{"circles", func(c string) string { return moved(strings.ReplaceAll(c, "0", "1"), '⓪') }, nothing},
		{"a quote inside", func(c string) string { return c[:3] + "’" + c[3:] }, nothing},
		{"decimal point", func(c string) string { return c + ".0" }, nothing},
		{"too many digits", func(c string) string { return c + strings.Repeat("0", 59) }, nothing},
		{"too long", func(c string) string { return c + strings.Repeat(" ", 251) }, nothing},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := world.New(t)
			app, _ := w.GiveTOTP("ada")

			// While the code is fresh, the spelling is either that code or no code.
			code := app.Shows()
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, test.spell(code))
			if test.is == same {
				world.OK(t, err)
			} else {
				world.WantErr(t, err, mfa.ErrInvalidCode)
				w.Login("ada", code)
			}
			// Once the code is spent, the spelling does not work either. A replay
			// and what is no code at all cost nothing; a wrong code costs a try.
			left := map[string]int{same: 5, wrong: 4, nothing: 5}[test.is]
			challenge := w.Begin("ada")
			for range 2 {
				_, err = w.VerifyLogin(w.Ctx, challenge.Token, test.spell(code))
				world.WantErr(t, err, mfa.ErrInvalidCode)
			}
			_, err = w.VerifyLogin(w.Ctx, challenge.Token, code)
			world.WantTries(t, err, 5-2*(5-left))
		})
	}

	t.Run("one count for all spellings", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		code := app.Wrong()
		for _, spelling := range []string{code, " " + code, code[:3] + "-" + code[3:], moved(code, '٠') + "\n", "«\u200b" + code + "»,"} {
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, spelling)
			world.WantTries(t, err, 4)
		}
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, app.Shows())
		world.WantThrottled(t, err, time.Second)
	})

	for name, spell := range map[string]func(code string) string{
		"upper case":          strings.ToUpper,
		"no dash":             func(c string) string { return strings.ReplaceAll(c, "-", "") },
		"full width":          func(c string) string { return moved(c, '０') },
		"embedded, in quotes": func(c string) string { return "“\u202a" + c + "\u202c”." },
		"spaces":              func(c string) string { return " " + strings.ReplaceAll(c, "-", " ") + "\n" },
		"look-alikes": func(c string) string {
			return strings.NewReplacer("0", "O", "1", "l").Replace(c)
		},
	} {
		t.Run("backup code, "+name, func(t *testing.T) {
			w := world.New(t, world.BackupCodes(2))
			w.GiveTOTP("ada")
			codes := w.CheapBackupCodes("ada")
			w.Login("ada", spell(codes[0]))
			for _, spelling := range []string{spell(codes[0]), codes[0]} {
				_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, spelling)
				world.WantTries(t, err, 4)
			}
			if left := w.StatusOf("ada").BackupCodesLeft; left != 1 {
				t.Errorf("%d codes left, want 1", left)
			}
		})
	}
}

// moved returns code with its digits in the script whose zero is given.
func moved(digits string, zero rune) string {
	return strings.Map(func(r rune) rune { return r - '0' + zero }, digits)
}

// A04: an app's code is accepted by two concurrent requests
// (CVE-2026-20779, GHSA-w73w-g5xw-rwhf).
func TestA04SameCodeConcurrently(t *testing.T) {
	for _, d := range doors {
		for name, n := range map[string]int{"one challenge": 1, "many challenges": racers} {
			t.Run(d.name+", "+name, func(t *testing.T) {
				w := world.New(t)
				app, _ := w.GiveTOTP("ada")
				var tokens []string
				for range n {
					tokens = append(tokens, d.open(w, "ada"))
				}
				wantOneUse(w, func() []error {
					return w.Race(racers, func(engine *mfa.Engine, i int) error {
						_, err := d.enter(w.Ctx, engine, tokens[i%n], app.Shows())
						return err
					})
				}, mfa.ErrInvalidCode, mfa.ErrInvalidToken)
			})
		}
	}
	t.Run("all doors at once", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		var tokens []string
		for i := range racers {
			tokens = append(tokens, doors[i%len(doors)].open(w, "ada"))
		}
		wantOneUse(w, func() []error {
			return w.Race(racers, func(engine *mfa.Engine, i int) error {
				_, err := doors[i%len(doors)].enter(w.Ctx, engine, tokens[i], app.Shows())
				return err
			})
		}, mfa.ErrInvalidCode)
	})
}

// wantOneUse checks that one attempt of a race succeeded, with one Save and one
// event, and that the others changed nothing.
func wantOneUse(w *world.World, race func() []error, refusals ...error) {
	w.T.Helper()
	before := w.Stored("ada").Version
	w.NewEvents()
	world.WantOne(w.T.(*testing.T), race(), refusals...)
	if saves := w.Stored("ada").Version - before; saves != 1 {
		w.T.Errorf("%d saves, want one", saves)
	}
	if told := count(w, mfa.EventVerified); told != 1 {
		w.T.Errorf("%d events of a verified code, want one", told)
	}
}

// A05: a slow login sets the record of spent codes back, or steps are rounded, so
// that a spent code works again.
func TestA05MemoryGoesBack(t *testing.T) {
	t.Run("a slow login", func(t *testing.T) {
		store := &world.HookStore{Store: mfa.NewMemoryStore()}
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		app, _ := w.GiveTOTP("ada")
		now := w.Clock.Now()
		first, next := app.Code(now), app.Code(now.Add(step))
		slow, fast := w.Begin("ada"), w.Begin("ada")
		store.Loaded = func() { // the slow login has read the record
			store.Loaded = nil
			_, err := w.VerifyLogin(w.Ctx, fast.Token, next)
			world.OK(t, err)
		}
		_, err := w.VerifyLogin(w.Ctx, slow.Token, first)
		world.WantTries(t, err, 5)
		for _, code := range []string{first, next} {
			w.NewEvents()
			_, err := w.VerifyLogin(w.Ctx, slow.Token, code)
			world.WantTries(t, err, 5)
			w.WantEvents(mfa.EventReplayed)
		}
	})
	for _, seconds := range []int{1, 7, 11, 29, 30, 31, 45, 59, 60, 90, 119, 120} {
		for _, offset := range []time.Duration{0, time.Nanosecond, 333 * time.Millisecond, 1<<30 - 1} {
			period := time.Duration(seconds) * time.Second
			w := world.New(t)
			uri := fmt.Sprintf("otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&period=%d", seconds)
			world.OK(t, w.ImportTOTP(w.Ctx, "ada", uri))
			app := w.Scan(uri)
			w.Clock.Advance(2*period + offset)
			start := w.Clock.Now()
			code := app.Shows()
			w.Login("ada", code)
			challenge := w.Begin("ada")
			for i := range 100 { // until about one step after its own has ended
				w.Clock.Set(start.Add(time.Duration(i) * period / 100))
				if _, err := w.VerifyLogin(w.Ctx, challenge.Token, code); !isInvalidCode(err) {
					t.Fatalf("period %v, offset %v, replay %d: %v", period, offset, i, err)
				}
			}
			w.Clock.Set(start.Add(period))
			w.Login("ada", app.Shows())
		}
	}
}

// A06: a code for one purpose is accepted for another: an enrollment's for a
// login, or a login's for a change of factors.
func TestA06CodeOfAnotherPurpose(t *testing.T) {
	t.Run("enrollment, then everything", func(t *testing.T) {
		for _, d := range doors {
			w := world.New(t)
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
			world.OK(t, err)
			code := w.Scan(enrollment.URI).Shows()
			_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, code)
			world.OK(t, err)
			_, err = d.enter(w.Ctx, w.Engine, d.open(w, "ada"), code)
			world.WantTries(t, err, 5)
		}
	})
	t.Run("message of an enrollment", func(t *testing.T) {
		w := world.New(t)
		login := w.GiveSMS("ada", world.Phone)
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(login.Proof))
		world.OK(t, err)
		code := w.Outbox.Code(world.Phone2)
		w.Clock.Advance(step)
		challenge := w.Begin("ada")
		w.SentCode(challenge.Token)
		_, err = w.VerifyLogin(w.Ctx, challenge.Token, code)
		world.WantTries(t, err, 4)
		_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
		world.OK(t, err)
	})
	t.Run("message of a login, for an enrollment of that number", func(t *testing.T) {
		w := world.New(t)
		login := w.GiveSMS("ada", world.Phone)
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone, mfa.WithProof(login.Proof))
		world.OK(t, err)
		w.Clock.Advance(step)
		challenge := w.Begin("ada")
		code := w.SentCode(challenge.Token)
		_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
		world.WantTries(t, err, 4)
		_, err = w.VerifyLogin(w.Ctx, challenge.Token, code)
		world.OK(t, err)
	})
	t.Run("message of one action for another", func(t *testing.T) {
		for _, sent := range doors {
			for _, other := range doors {
				w := world.New(t)
				w.GiveSMS("ada", world.Phone)
				token, otherToken := sent.open(w, "ada"), other.open(w, "ada")
				code := w.SentCode(token)
				w.Clock.Advance(step)
				w.SentCode(otherToken)
				_, err := other.enter(w.Ctx, w.Engine, otherToken, code)
				world.WantTries(t, err, 4)
				_, err = sent.enter(w.Ctx, w.Engine, token, code)
				world.OK(t, err)
			}
		}
	})
}

// A07: a second way to check a code does not record its use (CVE-2026-20779).
func TestA07SecondWayToVerify(t *testing.T) {
	// doors is complete.
	if got, want := methodsWith(t, "answer"), []string{"VerifyEnrollment", "VerifyLogin", "VerifyStepUp"}; !slices.Equal(got, want) {
		t.Fatalf("methods that take a code: %v, want %v: add the new one to doors", got, want)
	}
	for _, first := range doors {
		for _, second := range doors {
			t.Run(first.name+", then "+second.name, func(t *testing.T) {
				w := world.New(t)
				ada := w.Full("ada", world.Phone)
				token, sms := first.open(w, "ada"), ""
				sms = w.SentCode(token)
				_, err := first.enter(w.Ctx, w.Engine, token, sms)
				world.OK(t, err)
				for _, code := range []string{ada.Shows(), ada.Codes[0]} {
					_, err := first.enter(w.Ctx, w.Engine, first.open(w, "ada"), code)
					world.OK(t, err)
				}
				for _, code := range []string{sms, ada.Shows(), ada.Codes[0]} {
					_, err := second.enter(w.Ctx, w.Another(), second.open(w, "ada"), code)
					world.WantErr(t, err, mfa.ErrInvalidCode)
				}
			})
		}
	}
	t.Run("import of the same key", func(t *testing.T) {
		w := world.New(t)
		const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", uri))
		code := w.Scan(uri).Shows()
		w.Login("ada", code)
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", uri))
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
		world.WantTries(t, err, 5)
	})
}

// methodsWith returns the names of the engine's exported methods that have a
// parameter of the given name.
func methodsWith(t *testing.T, parameter string) (names []string) {
	t.Helper()
	for _, method := range engineMethods(t) {
		for _, field := range method.Type.Params.List {
			for _, name := range field.Names {
				if name.Name == parameter {
					names = append(names, method.Name.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

// engineMethods returns the declarations of the engine's exported methods.
func engineMethods(t *testing.T) (methods []*ast.FuncDecl) {
	t.Helper()
	entries, err := os.ReadDir(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(moduleRoot, entry.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			method, ok := declaration.(*ast.FuncDecl)
			if !ok || method.Recv == nil || !method.Name.IsExported() {
				continue
			}
			star, ok := method.Recv.List[0].Type.(*ast.StarExpr)
			if ok && star.X.(*ast.Ident).Name == "Engine" {
				methods = append(methods, method)
			}
		}
	}
	if len(methods) < 20 {
		t.Fatalf("found only %d methods of the engine", len(methods))
	}
	return methods
}

// A08: two steps with the same digits are confused: a spent code works again in
// the next step, or a fresh one is refused. If two steps within the window match,
// the later is spent, so that neither the digits nor the step work again.
func TestA08EqualCodesOfNeighbours(t *testing.T) {
	// Found by search: with this key, the codes of first and first + apart are equal.
	const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	for _, test := range []struct {
		first time.Time
		apart int // steps
	}{
		{time.Date(2030, 8, 3, 1, 41, 0, 0, time.UTC), 1},
		{time.Date(2032, 5, 6, 0, 30, 0, 0, time.UTC), 1},
		{time.Date(2030, 8, 9, 9, 18, 30, 0, time.UTC), 2},
	} {
		w := world.New(t)
		app := w.Scan(uri)
		at := func(n int) time.Time { return test.first.Add(time.Duration(n) * step) }
		code := app.Code(at(0))
		if code != app.Code(at(test.apart)) {
			t.Fatalf("%v: the codes differ", test.first)
		}
		start := func(n int) { // starts at step first + n, with nothing spent
			world.OK(t, w.Reset(w.Ctx, "ada"))
			world.OK(t, w.ImportTOTP(w.Ctx, "ada", uri))
			w.Clock.Set(at(n))
		}
		refused := func() {
			t.Helper()
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
			world.WantTries(t, err, 5)
		}
		// If both are within the window, accepting the code once spends both.
		start(test.apart - 1)
		w.Login("ada", code)
		for n := test.apart - 1; n <= test.apart+1; n++ {
			w.Clock.Set(at(n))
			refused()
		}
		w.Login("ada", app.Code(at(test.apart+1)))

		// If the second is not within the window when the first is used, it works
		// later, once.
		start(test.apart - 2)
		w.Login("ada", code)
		refused()
		w.Clock.Set(at(test.apart))
		w.Login("ada", code)
		refused()
		w.Clock.Set(at(test.apart + 1))
		refused()
	}
}

// A09: setting the clock back revives spent codes, ends a delay early or extends
// it forever.
func TestA09ClockGoesBack(t *testing.T) {
	t.Run("spent codes", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		start := w.Clock.Now()
		code := app.Shows()
		w.Login("ada", code)
		for _, ahead := range []time.Duration{0, 10 * time.Minute, 40 * 24 * time.Hour} {
			w.Clock.Set(start.Add(ahead))
			if ahead > 0 {
				w.Login("ada", app.Shows())
			}
			w.Clock.Set(start)
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
			world.WantTries(t, err, 5)
		}
	})
	t.Run("delays", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		for range 10 {
			w.Clock.Advance(15 * time.Minute)
			w.VerifyLogin(w.Ctx, w.Begin("ada").Token, app.Wrong())
		}
		const delay = 32 * time.Second // after ten wrong codes
		end := w.Clock.Now().Add(delay)
		for _, back := range []time.Duration{0, time.Second, time.Hour} {
			w.Clock.Set(end.Add(-delay - back))
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, app.Shows())
			world.WantThrottled(t, err, delay+back) // the true wait: the attempt has not moved it
		}
		w.Clock.Set(end.Add(-1))
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, app.Shows())
		world.WantThrottled(t, err, 1)
		w.Clock.Set(end)
		w.Login("ada", app.Shows())
	})

	// The clocks of two processes may differ by five minutes, but no more.
	limits := []struct {
		ahead time.Duration
		taken bool
	}{{5 * time.Minute, true}, {5*time.Minute + 1, false}}
	for _, kind := range kinds {
		t.Run(kind+" of a clock ahead", func(t *testing.T) {
			for _, limit := range limits {
				i := issueAll(t)
				issued := i.w.Clock.Now()
				if kind == "proof" {
					issued = issued.Add(-time.Minute) // GiveTOTP advances the clock by a minute
				}
				i.w.Clock.Set(issued.Add(-limit.ahead))
				err := i.use(kind, i.tokens[kind])
				// The app's codes of that time are spent: a challenge that is
				// accepted refuses them.
				if taken := err == nil || isInvalidCode(err); taken != limit.taken {
					t.Errorf("%v ahead: %v", limit.ahead, err)
				}
			}
		})
	}
	for _, method := range []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS} {
		t.Run(string(method)+" begun by a clock ahead", func(t *testing.T) {
			for _, limit := range limits {
				w := world.New(t)
				enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "ada")
				world.OK(t, err)
				_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone)
				world.OK(t, err)
				w.Clock.Advance(-limit.ahead)
				code := w.Outbox.Code(world.Phone)
				if method == mfa.MethodTOTP {
					code = w.Scan(enrollment.URI).Shows()
				}
				_, err = w.VerifyEnrollment(w.Ctx, "ada", method, code)
				if limit.taken {
					world.OK(t, err)
				} else {
					world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
				}
			}
		})
	}
}

// A10: a backup code works more than once (CVE-2026-31875, CVE-2025-67507).
func TestA10BackupCodeTwice(t *testing.T) {
	w := world.New(t, world.BackupCodes(4))
	w.GiveTOTP("ada")
	codes := w.CheapBackupCodes("ada")
	for i, code := range codes {
		d := doors[i%len(doors)]
		login, err := d.enter(w.Ctx, w.Engine, d.open(w, "ada"), code)
		world.OK(t, err)
		if left := len(codes) - i - 1; login.BackupCodesLeft != left || w.StatusOf("ada").BackupCodesLeft != left {
			t.Errorf("%d codes left, %d in Status, want %d", login.BackupCodesLeft, w.StatusOf("ada").BackupCodesLeft, left)
		}
		again := doors[(i+1)%len(doors)]
		_, err = again.enter(w.Ctx, w.Another(), again.open(w, "ada"), code) // on a new engine, as after a restart
		world.WantTries(t, err, 4)
	}
	w.Clock.Advance(time.Hour)
	for _, code := range codes[:2] { // the use of another does not bring one back
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
		world.WantTries(t, err, 4)
	}
}

// A11: a backup code is accepted by two concurrent requests, or used ones come
// back (GHSA-2299-ghjr-6vjp, CVE-2026-48505, CVE-2026-5774).
func TestA11BackupCodeConcurrently(t *testing.T) {
	for name, n := range map[string]int{"one challenge": 1, "many challenges": racers} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t, world.BackupCodes(2))
			_, login := w.GiveTOTP("ada")
			codes := w.GiveBackupCodes("ada", login.Proof)
			tokens := begin(w, "ada", n)
			w.NewEvents()
			successes := 0
			for _, err := range w.Race(racers, func(engine *mfa.Engine, i int) error {
				_, err := engine.VerifyLogin(w.Ctx, tokens[i%n], codes[0])
				return err
			}) {
				switch mfa.ErrorCode(err) {
				case "":
					successes++
				case "invalid_code", "invalid_token", "too_many_attempts":
				default:
					t.Errorf("refused with %v", err)
				}
			}
			if told, left := count(w, mfa.EventVerified), w.StatusOf("ada").BackupCodesLeft; successes != 1 || told != 1 || left != 1 {
				t.Errorf("%d succeeded, %d events, %d codes left", successes, told, left)
			}
		})
	}
	// In the race above, hashing takes time, which spreads the attempts. Here all
	// attempts have read the record in which the code is unspent.
	const attempts = 5 // as many as one challenge allows
	for name, test := range map[string]struct{ challenges, codes int }{
		"one challenge, all have read it":    {1, 1},
		"many challenges, all have read it":  {attempts, 1},
		"different codes, all have read all": {attempts, attempts},
	} {
		t.Run(name, func(t *testing.T) {
			store := &world.HookStore{Store: mfa.NewMemoryStore()}
			w := world.New(t, func(c *mfa.Config) { c.Store = store; c.BackupCodes.Count = attempts + 1 })
			w.GiveTOTP("ada")
			codes := w.CheapBackupCodes("ada")
			tokens := begin(w, "ada", test.challenges)
			w.NewEvents()
			successes := 0
			inside(store, attempts, 2, func(i int) { // one Load to charge it, one to judge it
				_, err := w.Another().VerifyLogin(w.Ctx, tokens[i%test.challenges], codes[i%test.codes])
				if err == nil {
					successes++
				} else if !errors.Is(err, mfa.ErrInvalidCode) && !errors.Is(err, mfa.ErrInvalidToken) {
					t.Errorf("refused with %v", err)
				}
			})
			told, used := count(w, mfa.EventVerified), len(codes)-w.StatusOf("ada").BackupCodesLeft
			if successes != test.codes || told != test.codes || used != test.codes {
				t.Errorf("%d succeeded, %d events, %d codes are used, want %d", successes, told, used, test.codes)
			}
		})
	}
}

// A12: an SMS code works twice, in sequence or concurrently
// (GHSA-jpq4-7fmq-q5fj).
func TestA12MessageTwice(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name+", in sequence", func(t *testing.T) {
			w := world.New(t)
			w.GiveSMS("ada", world.Phone)
			token, others := d.open(w, "ada"), []string{d.open(w, "ada"), d.open(w, "ada")}
			code := w.SentCode(token)
			w.Clock.Advance(step)
			w.SentCode(others[1])
			for i, other := range others { // whether one was sent for it or not
				_, err := d.enter(w.Ctx, w.Engine, other, code)
				world.WantTries(t, err, 5-i) // no code was sent for the first, so it costs nothing
			}
			_, err := d.enter(w.Ctx, w.Engine, token, code)
			world.OK(t, err)
			_, err = d.enter(w.Ctx, w.Another(), token, code)
			world.WantErr(t, err, mfa.ErrInvalidToken)
			for _, other := range append(others, d.open(w, "ada")) {
				_, err := d.enter(w.Ctx, w.Another(), other, code)
				world.WantErr(t, err, mfa.ErrInvalidCode)
			}
		})
		t.Run(d.name+", at once", func(t *testing.T) {
			w := world.New(t)
			w.GiveSMS("ada", world.Phone)
			token := d.open(w, "ada")
			code := w.SentCode(token)
			wantOneUse(w, func() []error {
				return w.Race(racers, func(engine *mfa.Engine, i int) error {
					_, err := d.enter(w.Ctx, engine, token, code)
					return err
				})
			}, mfa.ErrInvalidToken)
		})
	}
	t.Run("enrollment, at once", func(t *testing.T) {
		w := world.New(t)
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
		world.OK(t, err)
		world.WantOne(t, w.Race(racers, func(engine *mfa.Engine, _ int) error {
			_, err := engine.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, w.Outbox.Code(world.Phone))
			return err
		}), mfa.ErrNoPendingEnrollment)
	})
}

// A13: one wrong attempt voids the right code, so that anybody can lock its owner
// out.
func TestA13OneWrongTryVoidsTheCode(t *testing.T) {
	type answers struct{ right, wrong string }
	for name, prepare := range map[string]func(w *world.World) (enter func(code string) error, a answers, dead error){
		"app": func(w *world.World) (func(string) error, answers, error) {
			app, _ := w.GiveTOTP("ada")
			return loginWith(w, w.Begin("ada").Token), answers{app.Shows(), app.Wrong()}, mfa.ErrInvalidToken
		},
		"message": func(w *world.World) (func(string) error, answers, error) {
			w.GiveSMS("ada", world.Phone)
			token := w.Begin("ada").Token
			code := w.SentCode(token)
			return loginWith(w, token), answers{code, world.WrongSMS(code)}, mfa.ErrInvalidToken
		},
		"backup code": func(w *world.World) (func(string) error, answers, error) {
			w.GiveTOTP("ada")
			codes := w.CheapBackupCodes("ada")
			return loginWith(w, w.Begin("ada").Token), answers{codes[0], "aaaa-aaaa"}, mfa.ErrInvalidToken
		},
		"enrollment of an app": func(w *world.World) (func(string) error, answers, error) {
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
			world.OK(t, err)
			app := w.Scan(enrollment.URI)
			return confirmWith(w, mfa.MethodTOTP), answers{app.Shows(), app.Wrong()}, mfa.ErrNoPendingEnrollment
		},
		"enrollment of a phone": func(w *world.World) (func(string) error, answers, error) {
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.OK(t, err)
			code := w.Outbox.Code(world.Phone)
			return confirmWith(w, mfa.MethodSMS), answers{code, world.WrongSMS(code)}, mfa.ErrNoPendingEnrollment
		},
	} {
		for wrongs := range 6 {
			t.Run(fmt.Sprintf("%s, %d wrong", name, wrongs), func(t *testing.T) {
				w := world.New(t)
				enter, code, dead := prepare(w)
				for i := range wrongs {
					world.WantTries(t, enter(code.wrong), 4-i)
				}
				if wrongs < 5 {
					world.OK(t, enter(code.right))
				} else {
					world.WantErr(t, enter(code.right), dead)
				}
			})
		}
	}
}

func loginWith(w *world.World, token string) func(code string) error {
	return func(code string) error { _, err := w.VerifyLogin(w.Ctx, token, code); return err }
}

func confirmWith(w *world.World, method mfa.Method) func(code string) error {
	return func(code string) error { _, err := w.VerifyEnrollment(w.Ctx, "ada", method, code); return err }
}

// A14: an overheard code of the app stays valid after a recovery by backup code.
// Here it does, once and within its minute and a half, as SECURITY.md says: the
// owner who used the backup code may use the app next. A new app or a new
// password invalidates it.
func TestA14CodeAfterRecovery(t *testing.T) {
	recovered := func() (*world.World, world.App, *mfa.Login) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		codes := w.CheapBackupCodes("ada")
		return w, app, w.Login("ada", codes[0])
	}
	w, app, _ := recovered()
	code := app.Shows()
	w.Login("ada", code)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
	world.WantTries(t, err, 5)

	w, app, _ = recovered()
	code = app.Shows()
	w.Clock.Advance(2 * step)
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
	world.WantTries(t, err, 4)

	w, app, login := recovered()
	code = app.Shows()
	open := w.Begin("ada")
	next, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
	world.OK(t, err)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(next.URI).Shows())
	world.OK(t, err)
	_, err = w.VerifyLogin(w.Ctx, open.Token, code)
	world.WantErr(t, err, mfa.ErrInvalidToken)
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
	world.WantTries(t, err, 4)
}

// isInvalidCode reports whether err refuses a code for no reason but that it is
// wrong.
func isInvalidCode(err error) bool { return mfa.ErrorCode(err) == "invalid_code" }

// A15: forgetting failures, or steps spent by a clock that ran ahead, makes used
// codes valid again.
func TestA15UnlockFreesNoCode(t *testing.T) {
	for _, behind := range []time.Duration{0, time.Second, 5 * time.Second, step, 5 * time.Minute} {
		for ahead := -1; ahead <= 1; ahead++ { // the steps within the window
			w := world.New(t)
			app, _ := w.GiveTOTP("ada")
			start := time.Date(2030, 1, 1, 12, 10, 0, 0, time.UTC)
			w.Clock.Set(start)
			code := app.Code(start.Add(time.Duration(ahead) * step))
			w.Login("ada", code)
			w.Clock.Set(start.Add(-behind)) // in another process
			world.OK(t, w.Unlock(w.Ctx, "ada"))
			for _, later := range []time.Duration{0, 2 * time.Second, 10 * time.Second, step - 1, step, 2*step - 1, 2 * step} {
				w.Clock.Set(start.Add(later))
				if _, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code); !isInvalidCode(err) {
					t.Errorf("step %+d, unlocked %v behind, %v later: %v", ahead, behind, later, err)
				}
			}
			world.OK(t, w.Unlock(w.Ctx, "ada"))
			w.Login("ada", app.Shows())
		}
	}
	t.Run("a clock that ran ahead", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		start := w.Clock.Now()
		used := app.Shows()
		w.Login("ada", used)
		w.Clock.Set(start.Add(time.Hour))
		ahead := app.Shows()
		w.Login("ada", ahead)
		refused := func(code string) {
			t.Helper()
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
			world.WantTries(t, err, 5)
		}
		w.Clock.Set(start.Add(step))
		refused(app.Shows()) // its step is before the spent one
		world.OK(t, w.Unlock(w.Ctx, "ada"))
		refused(used)
		w.Login("ada", app.Shows())
		w.Clock.Set(start.Add(time.Hour))
		refused(ahead)
		w.Login("ada", app.Code(w.Clock.Now().Add(step)))
	})
}

// A16: if a user has several apps, a code of one is spent for all of them, or for
// none.
func TestA16CodeOfSeveralApps(t *testing.T) {
	prepare := func() (w *world.World, apps []world.App) {
		w = world.New(t)
		app, login := w.GiveTOTP("ada")
		second, _ := w.GiveTOTP("ada", mfa.KeepOthers(), mfa.WithProof(login.Proof))
		return w, []world.App{app, second}
	}
	w, apps := prepare()
	for i, app := range apps { // using one spends no code of the other
		d := doors[i]
		code := app.Shows()
		login, err := d.enter(w.Ctx, w.Engine, d.open(w, "ada"), code)
		world.OK(t, err)
		if want := w.StatusOf("ada").Factors[i].ID; login.FactorID != want {
			t.Errorf("app %d answers as %s, want %s", i, login.FactorID, want)
		}
		for _, again := range doors {
			_, err := again.enter(w.Ctx, w.Another(), again.open(w, "ada"), code)
			world.WantTries(t, err, 5)
		}
	}
	t.Run("at once", func(t *testing.T) { // each of the two codes works once
		w, apps := prepare()
		tokens, successes := begin(w, "ada", racers), 0
		for _, err := range w.Race(racers, func(engine *mfa.Engine, i int) error {
			_, err := engine.VerifyLogin(w.Ctx, tokens[i], apps[i%2].Shows())
			return err
		}) {
			if err == nil {
				successes++
			} else if !isInvalidCode(err) {
				t.Errorf("refused with %v", err)
			}
		}
		if successes != 2 {
			t.Errorf("%d succeeded, want two", successes)
		}
	})
	t.Run("the same digits", func(t *testing.T) { // spent for both
		w, apps := prepare()
		w.Tamper("ada", func(u *record.User) { u.TOTP[1].Key = u.TOTP[0].Key })
		code := apps[0].Shows()
		w.Login("ada", code)
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
		world.WantTries(t, err, 5)
		first := w.StatusOf("ada").Factors[0].ID // once it is removed, the other still remembers
		world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(first)))
		_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
		world.WantTries(t, err, 5)
	})
	t.Run("a removed app's", func(t *testing.T) {
		w, apps := prepare()
		world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(w.StatusOf("ada").Factors[1].ID)))
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, apps[1].Shows())
		world.WantTries(t, err, 4)
		w.Login("ada", apps[0].Shows())
	})
}
