package storage

import "tangled/message"

// SizeBefore estimates how many bytes the messages before a timestamp take on
// disk, from the tables' indexes alone; zero where that cannot be told.
func (s *Store) SizeBefore(timestamp uint64) uint64 {
	if s.enter() != nil {
		return 0
	}
	defer s.readers.Done()
	size, err := s.db.EstimateDiskUsage(messageKey(message.ID{}), messageKey(floor(timestamp)))
	if err != nil {
		return 0
	}
	return size
}

// Topics are those that f matches of all topics ever seen.
func (s *Store) Topics(f message.Filter) []string {
	var topics []string
	for _, number := range s.matchingTopics(f) {
		topics = append(topics, s.topics.name(number))
	}
	return topics
}
