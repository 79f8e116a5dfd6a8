package natsstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/protekt/mfa"
)

// format is the version of the encoding. A value starts with a line for people
// and programs that look at the bucket: the format, the record's version and the
// methods. The data follows.
//
//	1 7 totp,sms
//	...
const format = "1"

// encode returns the value for a record that is about to be saved, under the
// version after record.Version.
func encode(record mfa.Record) ([]byte, error) {
	methods := make([]string, len(record.Methods))
	for i, method := range record.Methods {
		if method == "" || strings.ContainsAny(string(method), ", \n") {
			return nil, fmt.Errorf("natsstore: saving: method %q cannot be stored", method)
		}
		methods[i] = string(method)
	}
	value := fmt.Appendf(nil, "%s %d %s\n", format, record.Version+1, strings.Join(methods, ","))
	return append(value, record.Data...), nil
}

var errForeign = errors.New("the value was not written by this package: something else writes to the bucket")

// decode parses a value that encode returned.
func decode(userID string, value []byte) (mfa.Record, error) {
	line, data, ended := bytes.Cut(value, []byte("\n"))
	fields := strings.Split(string(line), " ")
	if !ended || len(fields) != 3 || fields[0] != format {
		return mfa.Record{}, errForeign
	}
	version, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || version < 1 {
		return mfa.Record{}, errForeign
	}
	record := mfa.Record{UserID: userID, Version: version, Data: bytes.Clone(data)}
	for method := range strings.SplitSeq(fields[2], ",") {
		if method != "" {
			record.Methods = append(record.Methods, mfa.Method(method))
		}
	}
	return record, nil
}
