package record

import (
	"slices"
	"time"
)

// MaxDevices is how many devices a user may trust.
const MaxDevices = 20

// A Device is one on which its user is not asked for a second factor.
type Device struct {
	ID         ID
	Label      string // given by the host; may be empty
	TrustedAt  time.Time
	LastUsedAt time.Time // to the day; zero if never used
}

// Trust adds a device. The oldest gives way to one too many.
func (u *User) Trust(label string, now time.Time) Device {
	device := Device{ID: newID(), Label: label, TrustedAt: now}
	u.Devices = append(u.Devices, device)
	u.Devices = u.Devices[max(0, len(u.Devices)-MaxDevices):]
	return device
}

// Device returns the trusted device with an ID, or nil.
func (u *User) Device(id ID) *Device {
	for i := range u.Devices {
		if u.Devices[i].ID == id {
			return &u.Devices[i]
		}
	}
	return nil
}

// Use records the day on which a device was used, and reports whether it was the
// first use of that day.
func (d *Device) Use(now time.Time) bool {
	day := now.Truncate(24 * time.Hour)
	if !day.After(d.LastUsedAt) {
		return false
	}
	d.LastUsedAt = day
	return true
}

// Forget removes a device.
func (u *User) Forget(id ID) {
	u.Devices = slices.DeleteFunc(u.Devices, func(d Device) bool { return d.ID == id })
}
