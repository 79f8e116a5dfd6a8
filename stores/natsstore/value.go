package natsstore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/methods"
)

// A value is a line for people and programs that look at the bucket, with the
// format's version, the record's and the methods, and then the data:
//
//	1 7 totp,sms
//	...
const format = "1"

// encode writes what is stored: the version after record's.
func encode(record mfa.Record) ([]byte, error) {
	list, err := methods.Join(record.Methods)
	if err != nil {
		return nil, fmt.Errorf("natsstore: saving: %w", err)
	}
	value := fmt.Appendf(nil, "%s %d %s\n", format, record.Version+1, list)
	return append(value, record.Data...), nil
}

var errForeign = errors.New("the value is not of this package: somebody else writes to the bucket")

func decode(userID string, value []byte) (mfa.Record, error) {
	line, data, ended := bytes.Cut(value, []byte("\n"))
	fields := bytes.Split(line, []byte(" "))
	if !ended || len(fields) != 3 || string(fields[0]) != format {
		return mfa.Record{}, errForeign
	}
	version, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil || version < 1 {
		return mfa.Record{}, errForeign
	}
	return mfa.Record{UserID: userID, Version: version, Methods: methods.Split(string(fields[2])), Data: bytes.Clone(data)}, nil
}
