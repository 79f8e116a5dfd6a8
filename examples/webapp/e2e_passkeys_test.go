package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// A securityKey is an authenticator that is plugged into a tab's computer, and
// touched whenever a page asks.
type securityKey struct {
	*tab
	id webauthn.AuthenticatorID
}

// plug plugs in a key that holds credentials.
func (b *tab) plug(credentials ...*webauthn.Credential) *securityKey {
	b.t.Helper()
	command(b, webauthn.Enable, webauthn.EnableParams{})
	added := command(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportUsb,
		HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	// webauthn.AddCredential also sends a field that such an authenticator refuses.
	add := cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential}
	for _, c := range credentials {
		command(b, add, map[string]any{"authenticatorId": added.AuthenticatorID, "credential": map[string]any{
			"credentialId": c.CredentialID, "rpId": c.RpID, "privateKey": c.PrivateKey, "signCount": c.SignCount,
			"isResidentCredential": false,
		}})
	}
	return &securityKey{b, added.AuthenticatorID}
}

// credentials returns what the key holds, with its counters.
func (k *securityKey) credentials() []*webauthn.Credential {
	k.t.Helper()
	return command(k.tab, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: k.id}).Credentials
}

// unplug pulls the key out, and returns what it holds.
func (k *securityKey) unplug() []*webauthn.Credential {
	k.t.Helper()
	held := k.credentials()
	command(k.tab, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: k.id})
	return held
}

// signUpWithApp creates an account with an authenticator app.
func (b *tab) signUpWithApp() app {
	b.t.Helper()
	b.signUp("ada@example.com").wants("dashboard")
	b.click("#to-enroll").wants("enroll")
	b.click("#choose-totp").passwordAgain().wants("totp")
	a := b.scanned()
	b.answer(a.shows()).wants("backupcodes")
	b.click("#saved").wants("security")
	return a
}

// signUpWithPasskey creates an account with a passkey on a key, which it plugs in.
func (b *tab) signUpWithPasskey() {
	b.t.Helper()
	b.plug()
	b.signUp("ada@example.com").wants("dashboard")
	b.click("#to-enroll").wants("enroll")
	b.click("#choose-passkey").passwordAgain().wants("passkey")
	b.click("#ask").wants("backupcodes")
	b.click("#saved").wants("security")
}

// addPasskey sets a passkey up from the security page.
func (b *tab) addPasskey() *tab {
	b.t.Helper()
	b.open("/security").wants("security")
	b.click("#add-passkey").wants("passkey")
	return b.click("#ask")
}

// A user with an app adds two passkeys and signs in with each. A copy of one, with
// an old counter, is refused and reported by mail. A lost key is removed by a user
// who has signed in with the app.
func TestBrowserPasskeys(t *testing.T) {
	needsBrowser(t)
	s := newSite(t, withPasskeys)
	b := s.chromium()
	a := b.signUpWithApp()

	key := b.plug()
	b.click("#add-passkey").wants("passkey")
	b.pictures("")
	b.click("#ask").wants("security").wantsNotice("Passkey is set up.")
	b.click("#add-passkey").wants("passkey")
	b.press("#ask") // the same key again
	b.until(`document.getElementById("passkey-refused").innerText === "This account has a passkey there already."`)
	first := key.unplug()
	key = b.plug()
	b.click("#ask").wants("security")
	second := key.unplug()
	if got := b.texts(`[id^=factor-passkey] h3`); len(got) != 2 || len(first) != 1 || len(second) != 1 {
		t.Fatalf("factors %q, %d and %d credentials", got, len(first), len(second))
	}
	b.press("#rename-passkey")
	b.fill("#label-passkey", "Blue key")
	b.click("#factor-passkey .rename button").wants("security").wantsNotice("The name was changed.")

	for i, held := range [][]*webauthn.Credential{second, first} {
		b.signOut()
		key = b.plug(held...)
		b.signIn("ada@example.com").wants("prompt")
		if i == 0 {
			b.pictures("passkey")
		}
		b.click("#ask").wants("dashboard")
		if got := b.text("#amr"); got != "password, passkey, more than one factor" {
			t.Errorf("signed in with %q", got)
		}
		key.unplug()
	}

	b.signOut()
	key = b.plug(first...) // as it was before the last sign-in
	b.signIn("ada@example.com").wants("prompt")
	b.click("#ask").wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code")
	if got := b.text("#error"); !strings.HasPrefix(got, "That passkey was refused.") {
		t.Errorf("the page says %q", got)
	}
	key.unplug()
	b.click("#switch-totp").wants("prompt")
	s.clock.Advance(time.Minute)
	b.answer(a.shows()).wants("dashboard")
	if mails := fmt.Sprint(s.phone.arrived()); !strings.Contains(mails, "it seems to be a copy") {
		t.Errorf("no mail tells of the copy: %s", mails)
	}
	b.open("/security").wants("security")
	b.click("#remove-passkey").wants("security").wantsNotice("Passkey was removed.")
	if got := b.texts(`[id^=factor-passkey] h3`); len(got) != 1 || strings.HasPrefix(got[0], "Blue key") {
		t.Errorf("left are %q", got)
	}
}

// A passkey is the step-up before factors change, as it is the second step of a
// sign-in. A user who has it and nothing else uses it for both.
func TestBrowserPasskeyConfirms(t *testing.T) {
	needsBrowser(t)
	s := newSite(t, withPasskeys)
	b := s.chromium()
	b.signUpWithPasskey()
	s.clock.Advance(16 * time.Minute)
	b.open("/security").wants("security")
	b.click("#remove-backup").wants("prompt")
	if got := b.text("#asked"); got != "You are about to remove a second factor: Backup codes. Use your passkey first." {
		t.Errorf("the page says %q", got)
	}
	b.click("#ask").wants("security").wantsNotice("Backup codes was removed.")
}

// A user who cancels the browser's dialog sees a message, and goes on with the app.
func TestBrowserPasskeyCancelled(t *testing.T) {
	needsBrowser(t)
	s := newSite(t, withPasskeys)
	b := s.chromium()
	a := b.signUpWithApp()
	key := b.plug()
	b.addPasskey().wants("security")
	key.unplug()
	b.plug() // a key that this account does not know
	b.signOut()
	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	b.press("#ask")
	b.until(`document.getElementById("passkey-refused").innerText.startsWith("That was cancelled, or took too long.")`)
	b.wantsFocus("passkey-refused")
	b.click("#switch-totp").wants("prompt")
	b.answer(a.shows()).wants("dashboard")
}

// A page of another origin, here another port of the same host, that relays the
// options of a sign-in gets a response that is refused.
func TestBrowserPasskeyOfAnotherOrigin(t *testing.T) {
	needsBrowser(t)
	s := newSite(t, withPasskeys)
	b := s.chromium()
	b.signUpWithPasskey()
	b.signOut()
	b.signIn("ada@example.com").wants("prompt")
	options := evaluate[string](b, `document.getElementById("answer").dataset.options`)

	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><link rel=icon href=data:,><main data-page=evil></main>")
	}))
	defer evil.Close()
	url := b.url
	b.url = strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)
	b.open("/").wants("evil")
	response := evaluate[string](b, fmt.Sprintf(`(async () => {
		const { publicKey } = JSON.parse(%q);
		return JSON.stringify(await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) }));
	})()`, options))
	b.url = url
	b.open("/login/mfa").wants("prompt")
	relay := fmt.Sprintf(`document.querySelector("[name=passkey]").value = %q, document.getElementById("answer").requestSubmit(), true`, response)
	b.leads("sending what the other page got", chromedp.Evaluate[chromedp.Void](relay)).wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code")
	b.click("#ask").wants("dashboard") // here, the same key is accepted
}

// At an IP address, where browsers refuse passkeys, the pages say where to go.
func TestBrowserPasskeyAtAnAddress(t *testing.T) {
	needsBrowser(t)
	s := newSite(t, withPasskeys)
	b := s.chromium()
	there := b.url
	b.url = s.served.URL
	b.signUp("ada@example.com").wants("dashboard")
	b.click("#to-enroll").wants("enroll")
	b.click("#choose-passkey").passwordAgain().wants("passkey")
	if got := b.link("#elsewhere a"); got != there+passkeyPath || b.has("#ask") {
		t.Errorf("the page leads to %q", got)
	}
	b.pictures("")
}
