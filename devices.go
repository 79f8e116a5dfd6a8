package mfa

import (
	"context"
	"time"

	"github.com/protekt/mfa/internal/token"
)

// A TrustedDevice is one on which its user is not asked for a code.
type TrustedDevice struct {
	// Token ("mfa_dev_...") is for a cookie that scripts cannot read.
	Token     string    `json:"-"`
	ExpiresAt time.Time `json:"expires_at"`
}

// WithTrustedDevice passes the Token of a [TrustedDevice]. An invalid one is
// ignored.
func WithTrustedDevice(token string) LoginOption {
	return func(o *loginOptions) { o.device = token }
}

// TrustDevice lets a user who has just proved a factor pass on this device
// without one. proof is the Proof of a Login.
func (e *Engine) TrustDevice(ctx context.Context, userID, proof string) (*TrustedDevice, error) {
	u, err := e.load(ctx, userID)
	if err != nil {
		return nil, err
	}
	if !u.Enrolled() || !e.proves(u, proof) {
		return nil, ErrInvalidToken
	}
	device := &TrustedDevice{ExpiresAt: u.now.Add(e.config.TrustedDeviceTTL)}
	device.Token = token.Seal(e.ring, token.Device, token.Claims{
		UserID: u.id, Issued: u.now, Expires: device.ExpiresAt, Epoch: u.Devices,
	})
	u.event(EventDeviceTrusted, "", "", nil)
	e.emit(ctx, u.events...)
	return device, nil
}

// ForgetDevices revokes the trust in every device of a user.
func (e *Engine) ForgetDevices(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		if u.exists() {
			u.ForgetDevices()
		}
		u.event(EventDevicesForgotten, "", "", nil)
		return nil
	})
}

// trusts reports whether device is the token of a trusted device of this user's.
func (e *Engine) trusts(u *user, device string) bool {
	claims, err := e.openToken(token.Device, device, e.config.TrustedDeviceTTL)
	return err == nil && claims.UserID == u.id && claims.Epoch == u.Devices
}
