// Package deadline ends a store's calls with their contexts where its client
// does not.
package deadline

import "context"

// Within ends with ctx, though call may go on and get something done: what call
// was given must stay as it is, and what it gives then is lost.
func Within[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type outcome struct {
		value    T
		err      error
		panicked any
	}
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panicked = recover() // it is the caller's, who may be ready for it
			ended <- o
		}()
		o.value, o.err = call()
	}()
	select {
	case o := <-ended:
		if o.panicked != nil {
			panic(o.panicked)
		}
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
