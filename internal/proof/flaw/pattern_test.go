package flaw

import (
	"strings"
	"testing"
)

// account is the code in which TestFind looks for patterns.
const account = `package bank
type account struct{ balance int; closed bool }
func (a *account) withdraw(sum int) bool {
	if a.closed || sum > a.balance {
		return false
	}
	a.balance -= sum
	log(a.balance)
	return true
}
`

const logs = `package bank
const limit = 10
func log(n int) {}
`

// find returns the text that a pattern matches, and the replacement with the local
// names found there.
func find(t *testing.T, files map[string]string, in, old, replacement string, where ...string) (matched, replaced string, err error) {
	t.Helper()
	texts := make(map[string][]byte)
	for path, text := range files {
		texts[path] = []byte(text)
	}
	s, err := newSource(map[string]map[string][]byte{"bank": texts}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Find(in, old, where...)
	if err != nil {
		return "", "", err
	}
	start, end := s.set.Position(m.pos), s.set.Position(m.end)
	return files[start.Filename][start.Offset:end.Offset], m.rename(replacement), nil
}

// A pattern finds its code wherever it is in the package, however it is formatted
// and whatever its local names are, and finds nothing else.
func TestFind(t *testing.T) {
	const withdraw = "bank: (*account).withdraw"
	asWritten := map[string]string{"account.go": account, "log.go": logs}
	for _, test := range []struct {
		name            string
		files           map[string]string
		in, old         string
		where           string
		new             string
		want, wantThere string // want is "" if it is not found
	}{
		{name: "an expression", files: asWritten, in: withdraw, old: "sum > a.balance", new: "sum < a.balance",
			want: "sum > a.balance", wantThere: "sum < a.balance"},
		{name: "statements", files: asWritten, in: withdraw, old: "a.balance -= sum\nlog(a.balance)", new: "a.balance = 0",
			want: "a.balance -= sum\n\tlog(a.balance)", wantThere: "a.balance = 0"},
		{name: "a constant", files: asWritten, in: "bank: limit", old: "10", new: "20",
			want: "10", wantThere: "20"},
		{name: "in another file", files: map[string]string{"log.go": logs + strings.TrimPrefix(account, "package bank")},
			in: withdraw, old: "sum > a.balance", want: "sum > a.balance"},
		{name: "under other local names", files: renamed("a *account", "acc *account", "a.", "acc.", "sum", "amount"),
			in: withdraw, old: "sum > a.balance", new: "sum.a > a.sum+sum", want: "amount > acc.balance", wantThere: "amount.a > acc.sum+amount"},
		{name: "in another format", files: renamed("sum > a.balance", "sum /* all */ >\na.\nbalance"),
			in: withdraw, old: "sum > a.balance", want: "sum /* all */ >\na.\nbalance"},
		{name: "with a local name from elsewhere", files: renamed("sum", "amount"),
			in: withdraw, old: "return true", where: "a.balance -= sum", new: "return sum > 0", want: "return true", wantThere: "return amount > 0"},
		{name: "twice", files: asWritten, in: withdraw, old: "a.balance"},
		{name: "other code", files: asWritten, in: withdraw, old: "sum >= a.balance"},
		{name: "another field", files: asWritten, in: withdraw, old: "sum > a.closed"},
		{name: "one local name for two", files: asWritten, in: withdraw, old: "a > a.balance"},
		{name: "a local name for a function", files: asWritten, in: withdraw, old: "print(a.balance)"},
		{name: "not next to each other", files: asWritten, in: withdraw, old: "a.balance -= sum\nreturn true"},
		{name: "another where", files: asWritten, in: withdraw, old: "return true", where: "a.balance += sum"},
		{name: "in another function", files: asWritten, in: "bank: log", old: "sum > a.balance"},
		{name: "no function", files: asWritten, in: "bank: account.withdraw", old: "sum > a.balance"},
		{name: "no package", files: asWritten, in: "withdraw", old: "sum > a.balance"},
		{name: "no code", files: asWritten, in: withdraw, old: "sum >"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var where []string
			if test.where != "" {
				where = append(where, test.where)
			}
			matched, replaced, err := find(t, test.files, test.in, test.old, test.new, where...)
			if matched != test.want || replaced != test.wantThere || (err == nil) != (test.want != "") {
				t.Errorf("found %q, to become %q (%v), want %q and %q", matched, replaced, err, test.want, test.wantThere)
			}
		})
	}
}

// renamed returns the files with some text of account.go replaced.
func renamed(oldnew ...string) map[string]string {
	return map[string]string{"account.go": strings.NewReplacer(oldnew...).Replace(account), "log.go": logs}
}
