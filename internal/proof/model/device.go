package model

import (
	"slices"
	"strings"
	"time"
)

const maxDevices = 20

// A device is a trusted device. Its token has the same Serial.
type device struct {
	serial  int
	label   string
	trusted time.Time
	used    time.Time // to the day
}

// trustDevice adds a trusted device. The twenty-first evicts the oldest.
func (r Rules) trustDevice(u User, c Call) []Result {
	if c.Bad {
		return refused("invalid_request")
	}
	var results []Result
	for _, proven := range u.alive(proofToken, c.Token, c.At) {
		if !proven || !u.enrolled() {
			results = append(results, refused("invalid_token")...)
			continue
		}
		u := u.clone()
		expires := c.At.Add(deviceTTL)
		u.devices = append(u.devices, device{serial: c.Serial, label: c.Label, trusted: c.At})
		u.devices = u.devices[max(0, len(u.devices)-maxDevices):]
		u.issue(token{serial: c.Serial, kind: deviceToken, issued: c.At, expires: expires})
		results = append(results, done(u, "ok until "+timeText(expires), event{kind: "device_trusted"})...)
	}
	return results
}

func (u User) device(serial int) int {
	return slices.IndexFunc(u.devices, func(d device) bool { return d.serial == serial })
}

// passOn logs a user in on a trusted device, whose use is recorded once a day.
func (u User) passOn(c Call) []Result {
	d := &u.devices[u.device(c.Token)]
	if day := c.At.Truncate(24 * time.Hour); day.After(d.used) {
		d.used = day
	}
	return done(u, "ok", event{kind: "device_accepted", action: login})
}

func (r Rules) forgetDevice(u User, c Call) []Result {
	i := u.device(c.Only)
	if i < 0 {
		return refused("ok")
	}
	u.devices = slices.Delete(u.devices, i, i+1)
	return done(u, "ok", event{kind: "devices_forgotten"})
}

// devicesText lists the devices, the most recently trusted first.
func (u User) devicesText(now time.Time) string {
	var list []shown
	for _, d := range slices.Backward(u.devices) {
		if until := d.trusted.Add(deviceTTL); now.Before(until) {
			list = append(list, shown{serial: d.serial, label: d.label, since: d.trusted, used: d.used, until: until})
		}
	}
	return devicesText(list)
}

func devicesText(list []shown) string {
	var b strings.Builder
	for _, d := range list {
		b.WriteString("; device" + d.String())
	}
	return b.String()
}
