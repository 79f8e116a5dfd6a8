package flood

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
)

// A peak measures the most memory that this process has used since beginPeak, in
// bytes. If the system does not report it, it is the memory that the runtime has
// taken from the system and not returned.
type peak struct {
	before uint64
	told   bool // as reported by the system
}

// beginPeak begins to measure, after returning unused memory to the system.
func beginPeak() peak {
	debug.FreeOSMemory()
	// This makes Linux forget the peak so far. If it fails, the peak of the whole
	// process is reported, which is no less.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	before, err := fromStatus("VmRSS:")
	if err != nil {
		return peak{before: fromRuntime()}
	}
	return peak{before, true}
}

func (p peak) read() (uint64, error) {
	if p.told {
		return fromStatus("VmHWM:")
	}
	return fromRuntime(), nil
}

// fromStatus returns the value of a line of /proc/self/status, in bytes.
func fromStatus(name string) (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte(name))
	fields := bytes.Fields(rest)
	if len(fields) < 2 || string(fields[1]) != "kB" {
		return 0, fmt.Errorf("no %s in /proc/self/status", name)
	}
	kilobytes, err := strconv.ParseUint(string(fields[0]), 10, 64)
	return kilobytes << 10, err
}

func fromRuntime() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
