package sqlstore

// Statements returns what the store sends to read and to replace a record.
func (s *Store) Statements() (load, update string) { return s.load.text, s.update.text }
