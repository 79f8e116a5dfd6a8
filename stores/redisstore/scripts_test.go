package redisstore

// Scripts returns the hashes of the scripts that read and replace a record.
func Scripts() (loads, saves string) { return load.hash, save.hash }

// Keys returns the keys that the scripts use for a user.
func (s *Store) Keys(userID string) []string {
	keys, err := s.keys(userID)
	if err != nil {
		panic(err)
	}
	return keys
}
