package natsstore

import "testing"

func TestServerVersions(t *testing.T) {
	for version, accepted := range map[string]bool{
		"2.9.10":        false,
		"2.10.27":       false,
		"2.11.17":       false,
		"2.12.14":       false,
		"2.12.15":       true,
		"2.12.16-RC.1":  true,
		"2.15.3":        true,
		"3.0.0":         true,
		"2.12":          false,
		"1.99.99":       false,
		"":              false,
		"v2.15.3":       false,
		"2.12.fifteen":  false,
		"-2.15.3":       false,
		"2.15.3, a dev": false,
	} {
		if err := checkServer(version); (err == nil) != accepted {
			t.Errorf("version %q: %v", version, err)
		}
	}
}
