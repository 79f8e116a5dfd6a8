package etcdstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/protekt/mfa"
)

// format is the version of the encoding. A value starts with a line for people
// and programs that look at it: the format and the methods. The data follows.
//
//	1 totp,sms
//	...
const format = "1 "

// encode returns the value for a record.
func encode(record mfa.Record) (string, error) {
	methods := make([]string, len(record.Methods))
	for i, method := range record.Methods {
		if method == "" || strings.ContainsAny(string(method), ",\n") {
			return "", fmt.Errorf("etcdstore: saving: method %q cannot be stored", method)
		}
		methods[i] = string(method)
	}
	return format + strings.Join(methods, ",") + "\n" + string(record.Data), nil
}

var errForeign = errors.New("the value was not written by this package: something else writes under Options.Prefix")

// decode parses a value that encode returned.
func decode(value []byte) (mfa.Record, error) {
	line, data, ended := strings.Cut(string(value), "\n")
	methods, known := strings.CutPrefix(line, format)
	if !ended || !known {
		return mfa.Record{}, errForeign
	}
	record := mfa.Record{Data: []byte(data)}
	for method := range strings.SplitSeq(methods, ",") {
		if method != "" {
			record.Methods = append(record.Methods, mfa.Method(method))
		}
	}
	return record, nil
}
