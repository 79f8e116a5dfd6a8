package mfa

import (
	"context"
	"slices"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/token"
)

// A TrustedDevice is one on which its user is not asked for a second factor.
type TrustedDevice struct {
	// ID ("dev_...") names the device among those of its user.
	ID string `json:"id"`
	// Label is the name that the host gave it, if any.
	Label string `json:"label,omitzero"`
	// Token ("mfa_dev_...") is for a cookie that scripts cannot read. It comes
	// from TrustDevice alone.
	Token     string    `json:"-"`
	TrustedAt time.Time `json:"trusted_at"`
	// LastUsedAt is the day (UTC) of the last login, zero before the first.
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// WithTrustedDevice passes the Token of a [TrustedDevice]. An invalid one is
// ignored.
func WithTrustedDevice(token string) LoginOption {
	return func(o *loginOptions) { o.device = token }
}

// TrustDevice lets a user who has just proved a factor pass on this device
// without one. proof is the Proof of a Login, label a name for the user's list of
// devices, such as "Firefox on Linux": at most 64 printable bytes, or none. The
// oldest of 20 devices gives way to one more.
func (e *Engine) TrustDevice(ctx context.Context, userID, proof, label string) (*TrustedDevice, error) {
	if err := checkLabel(label); err != nil {
		return nil, err
	}
	var device TrustedDevice
	err := e.update(ctx, userID, func(u *user) error {
		if !u.Enrolled() || !e.proves(u, proof) {
			return ErrInvalidToken
		}
		trusted := u.Trust(label, u.now)
		device = e.describeDevice(trusted)
		device.Token = token.Seal(e.ring, token.Device, token.Claims{
			UserID: u.id, ID: trusted.ID, Issued: u.now, Expires: device.ExpiresAt,
		})
		u.event(Event{Type: EventDeviceTrusted})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &device, nil
}

// Devices returns the user's trusted devices, the one trusted last first.
func (e *Engine) Devices(ctx context.Context, userID string) ([]TrustedDevice, error) {
	u, err := e.load(ctx, userID)
	if err != nil {
		return nil, err
	}
	devices := []TrustedDevice{}
	for _, d := range slices.Backward(u.User.Devices) {
		if device := e.describeDevice(d); u.now.Before(device.ExpiresAt) {
			devices = append(devices, device)
		}
	}
	return devices, nil
}

// ForgetDevice revokes the trust in one device. It is nil for an unknown one.
func (e *Engine) ForgetDevice(ctx context.Context, userID, deviceID string) error {
	return e.update(ctx, userID, func(u *user) error {
		id, _ := parseDeviceID(deviceID)
		if u.Device(id) != nil {
			u.Forget(id)
			u.event(Event{Type: EventDevicesForgotten})
		}
		return nil
	})
}

// ForgetDevices revokes the trust in every device of a user. It invalidates
// proofs, challenges and pending factors too, or whoever holds one could trust
// the next device.
func (e *Engine) ForgetDevices(ctx context.Context, userID string) error {
	return e.update(ctx, userID, func(u *user) error {
		if u.exists() {
			u.Renew()
		}
		u.event(Event{Type: EventDevicesForgotten})
		return nil
	})
}

func (e *Engine) describeDevice(d record.Device) TrustedDevice {
	return TrustedDevice{
		ID:         deviceID(d.ID),
		Label:      d.Label,
		TrustedAt:  d.TrustedAt,
		LastUsedAt: d.LastUsedAt,
		ExpiresAt:  d.TrustedAt.Add(e.config.TrustedDeviceTTL),
	}
}

// trusted returns the entry of a user's that a device's token is of, or nil.
func (e *Engine) trusted(u *user, device string) *record.Device {
	claims, err := e.openToken(token.Device, device, e.config.TrustedDeviceTTL)
	if err != nil || claims.UserID != u.id {
		return nil
	}
	return u.Device(claims.ID)
}
