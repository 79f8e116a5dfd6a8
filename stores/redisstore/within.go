package redisstore

import "context"

// within returns what call returns, or ctx's error as soon as ctx is done: unless
// it is punctual, the client alone would wait for the server. In that case call
// goes on in a goroutine, so it must use no memory of the caller's.
func within[T any](ctx context.Context, punctual bool, call func() (T, error)) (T, error) {
	if punctual {
		return call()
	}
	type outcome struct {
		value    T
		err      error
		panicked any
	}
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panicked = recover() // the caller may be prepared to recover it
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
