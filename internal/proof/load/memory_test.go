package load

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
)

// A peak is how much memory this process has had at most since it was begun, in
// bytes. Where the system does not tell, it is what the runtime has taken from
// it and not given back.
type peak struct {
	before uint64
	told   bool // by the system
}

// beginPeak gives back what is not in use first.
func beginPeak() peak {
	debug.FreeOSMemory()
	// Linux forgets the peak so far. Where it does not, that of the whole process
	// is told, which is no less.
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

// fromStatus reads a line of /proc/self/status, in bytes.
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
