package deadline_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/protekt/mfa/internal/deadline"
)

func TestWithin(t *testing.T) {
	if n, err := deadline.Within(t.Context(), func() (int, error) { return 7, io.EOF }); n != 7 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	letGo, over := make(chan struct{}), make(chan struct{})
	n, err := deadline.Within(ctx, func() (int, error) {
		cancel()
		<-letGo
		close(over)
		return 7, nil
	})
	if n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v while the call goes on", n, err)
	}
	close(letGo)
	<-over // nobody hears of it, and it is not held up

	defer func() {
		if p := recover(); p != "a driver's" {
			t.Errorf("panic %v, want the call's, where the caller can recover it", p)
		}
	}()
	deadline.Within(t.Context(), func() (int, error) { panic("a driver's") })
}
