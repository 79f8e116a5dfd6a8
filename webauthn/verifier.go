package webauthn

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	gowebauthn "github.com/go-webauthn/webauthn/webauthn"

	"github.com/protekt/mfa"
)

// maxResponse bounds what is parsed, in bytes.
const maxResponse = 16 << 10

// A Verifier is an mfa.PasskeyVerifier. It is safe for concurrent use.
type Verifier struct {
	config     Config
	parameters []protocol.CredentialParameter
	rp         *gowebauthn.WebAuthn
}

var _ mfa.PasskeyVerifier = (*Verifier)(nil)

// New returns a verifier. An error names the field of config and the cure, and
// wraps mfa.ErrInvalidInput.
func New(config Config) (*Verifier, error) {
	config = config.withDefaults()
	config.Origins = slices.Clone(config.Origins)
	if err := config.check(); err != nil {
		return nil, err
	}
	rp, err := gowebauthn.New(&gowebauthn.Config{
		RPID:                              config.RPID,
		RPDisplayName:                     config.Name,
		RPOrigins:                         config.Origins,
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: webauthn: %w", mfa.ErrInvalidInput, err)
	}
	v := &Verifier{config: config, rp: rp}
	for _, algorithm := range algorithms {
		v.parameters = append(v.parameters, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: algorithm})
	}
	return v, nil
}

// CreationOptions implements mfa.PasskeyVerifier.
func (v *Verifier) CreationOptions(user mfa.PasskeyUser, challenge []byte, exclude []mfa.Passkey) (json.RawMessage, error) {
	if err := check(user, challenge); err != nil {
		return nil, err
	}
	credentials, err := decodeAll(exclude)
	if err != nil {
		return nil, err
	}
	var options protocol.CredentialCreation
	options.Response = protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{
			ID:               v.config.RPID,
			CredentialEntity: protocol.CredentialEntity{Name: v.config.Name},
		},
		User: protocol.UserEntity{
			ID:               protocol.URLEncodedBase64(user.Handle),
			DisplayName:      user.Account,
			CredentialEntity: protocol.CredentialEntity{Name: user.Account},
		},
		Challenge:             challenge,
		Parameters:            v.parameters,
		Timeout:               int(v.config.Timeout.Milliseconds()),
		CredentialExcludeList: gowebauthn.Credentials(credentials).CredentialDescriptors(),
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey:        protocol.ResidentKeyRequirement(v.config.ResidentKey),
			RequireResidentKey: new(v.config.ResidentKey == Required),
			UserVerification:   v.verification(),
		},
		Attestation: protocol.PreferNoAttestation,
	}
	return json.Marshal(options)
}

// VerifyCreation implements mfa.PasskeyVerifier.
func (v *Verifier) VerifyCreation(user mfa.PasskeyUser, challenge []byte, response string) (mfa.Passkey, error) {
	if err := check(user, challenge); err != nil {
		return mfa.Passkey{}, err
	}
	parsed, err := parse(response, protocol.ParseCredentialCreationResponseBytes)
	if err != nil {
		return mfa.Passkey{}, err
	}
	if err := v.checkOrigin(parsed.Response.CollectedClientData); err != nil {
		return mfa.Passkey{}, err
	}
	if err := checkAttestation(parsed.Response.AttestationObject); err != nil {
		return mfa.Passkey{}, err
	}
	credential, err := v.rp.CreateCredential(account{handle: user.Handle}, v.session(user, challenge), parsed)
	if err != nil {
		return mfa.Passkey{}, refusal(err)
	}
	if err := checkKey(credential.PublicKey); err != nil {
		return mfa.Passkey{}, err
	}
	return passkey(credential, parsed.Response.AttestationObject.AuthData.Flags)
}

// RequestOptions implements mfa.PasskeyVerifier.
func (v *Verifier) RequestOptions(user mfa.PasskeyUser, challenge []byte, allow []mfa.Passkey) (json.RawMessage, error) {
	if err := check(user, challenge); err != nil {
		return nil, err
	}
	if len(allow) == 0 { // to a browser, no list means any passkey of the site
		return nil, errors.New("webauthn: no passkey may answer")
	}
	credentials, err := decodeAll(allow)
	if err != nil {
		return nil, err
	}
	var options protocol.CredentialAssertion
	options.Response = protocol.PublicKeyCredentialRequestOptions{
		Challenge:          challenge,
		Timeout:            int(v.config.Timeout.Milliseconds()),
		RelyingPartyID:     v.config.RPID,
		AllowedCredentials: gowebauthn.Credentials(credentials).CredentialDescriptors(),
		UserVerification:   v.verification(),
	}
	return json.Marshal(options)
}

// VerifyRequest implements mfa.PasskeyVerifier.
func (v *Verifier) VerifyRequest(user mfa.PasskeyUser, challenge []byte, allow []mfa.Passkey, response string) (mfa.Passkey, error) {
	if err := check(user, challenge); err != nil {
		return mfa.Passkey{}, err
	}
	credentials, err := decodeAll(allow)
	if err != nil {
		return mfa.Passkey{}, err
	}
	parsed, err := parse(response, protocol.ParseCredentialRequestResponseBytes)
	if err != nil {
		return mfa.Passkey{}, err
	}
	if err := v.checkOrigin(parsed.Response.CollectedClientData); err != nil {
		return mfa.Passkey{}, err
	}
	credential, err := v.rp.ValidateLogin(account{user.Handle, credentials}, v.session(user, challenge), parsed)
	if err != nil {
		return mfa.Passkey{}, refusal(err)
	}
	if credential.Authenticator.CloneWarning {
		return mfa.Passkey{}, fmt.Errorf("webauthn: %w", mfa.ErrClonedPasskey)
	}
	return passkey(credential, parsed.Response.AuthenticatorData.Flags)
}

// passkey returns what the engine keeps of a credential.
func passkey(c *gowebauthn.Credential, flags protocol.AuthenticatorFlags) (mfa.Passkey, error) {
	data, err := encode(c)
	if err != nil {
		return mfa.Passkey{}, err
	}
	return mfa.Passkey{ID: c.ID, Data: data, UserVerified: flags.HasUserVerified()}, nil
}

// session returns what go-webauthn remembers between options and response. All of
// it follows from the configuration and the arguments, so nothing is stored. That
// the credential is one of the allowed follows from its being the account's.
func (v *Verifier) session(user mfa.PasskeyUser, challenge []byte) gowebauthn.SessionData {
	return gowebauthn.SessionData{
		Challenge:        protocol.URLEncodedBase64(challenge).String(),
		RelyingPartyID:   v.config.RPID,
		UserID:           user.Handle,
		UserVerification: v.verification(),
		CredParams:       v.parameters,
	}
}

func (v *Verifier) verification() protocol.UserVerificationRequirement {
	return protocol.UserVerificationRequirement(v.config.UserVerification)
}

// checkOrigin compares byte by byte. go-webauthn, which compares again, ignores
// the case and whatever follows the port.
func (v *Verifier) checkOrigin(data protocol.CollectedClientData) error {
	if !slices.Contains(v.config.Origins, data.Origin) {
		return fmt.Errorf("webauthn: the origin %.100q is not among Config.Origins", data.Origin)
	}
	return nil
}

// checkAttestation lets through what a browser sends if no attestation was
// requested: no statement, or one by the passkey's own key (WebAuthn §5.1.3).
func checkAttestation(object protocol.AttestationObject) error {
	_, certified := object.AttStatement["x5c"]
	switch protocol.AttestationFormat(object.Format) {
	case protocol.AttestationFormatNone:
		return nil
	case protocol.AttestationFormatPacked:
		if !certified {
			return nil
		}
	}
	return fmt.Errorf("webauthn: an attestation statement %.20q was not requested", object.Format)
}

// check refuses what the engine never passes, but would defeat the protocol.
func check(user mfa.PasskeyUser, challenge []byte) error {
	if n := len(user.Handle); n < protocol.MinimumUserHandleLength || n > protocol.MaximumUserHandleLength {
		return errors.New("webauthn: the user handle must have 1 to 64 bytes")
	}
	if len(challenge) < protocol.MinimumChallengeLength {
		return errors.New("webauthn: the challenge must have at least 16 bytes")
	}
	return nil
}

// parse reads a response of bounded size.
func parse[T any](response string, read func([]byte) (T, error)) (parsed T, err error) {
	if len(response) > maxResponse {
		return parsed, fmt.Errorf("webauthn: the response has more than %d bytes", maxResponse)
	}
	if parsed, err = read([]byte(response)); err != nil {
		return parsed, refusal(err)
	}
	return parsed, nil
}

// refusal returns the reason for which go-webauthn refuses a response. It leaves
// out the values that were compared, except where there is no other reason: those
// are flags and hashes of RP IDs.
func refusal(err error) error {
	reason := "it cannot be parsed"
	if known, ok := errors.AsType[*protocol.Error](err); ok {
		reason = strings.TrimSuffix(known.Details, ": <nil>")
		if reason == protocol.ErrVerification.Details || reason == protocol.ErrAttestationFormat.Details {
			reason = known.DevInfo
		}
	}
	return fmt.Errorf("webauthn: the response is refused: %.200q", reason)
}

// An account is a gowebauthn.User.
type account struct {
	handle      []byte
	credentials []gowebauthn.Credential
}

func (a account) WebAuthnID() []byte                           { return a.handle }
func (a account) WebAuthnName() string                         { return "" }
func (a account) WebAuthnDisplayName() string                  { return "" }
func (a account) WebAuthnCredentials() []gowebauthn.Credential { return a.credentials }
