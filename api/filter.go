package api

import (
	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

// kinds is a set of message kinds, a bit each.
type kinds uint8

const dataOnly = kinds(1 << message.KindData)

// parseKinds reads the kinds to show. Data alone is the default: a reader of
// readings has no use for witnesses, and there are many.
func parseKinds(list []tangledv1.Kind) (kinds, error) {
	if len(list) == 0 {
		return dataOnly, nil
	}
	var set kinds
	for _, k := range list {
		switch k {
		case tangledv1.Kind_KIND_DATA:
			set |= 1 << message.KindData
		case tangledv1.Kind_KIND_TRANSFER:
			set |= 1 << message.KindTransfer
		case tangledv1.Kind_KIND_WITNESS:
			set |= 1 << message.KindWitness
		default:
			return 0, argumentf("KIND", "unknown kind %d", k)
		}
	}
	return set, nil
}

func (s kinds) has(k message.Kind) bool { return s>>k&1 == 1 }

// filter selects messages.
type filter struct {
	topics message.Filter
	issuer *message.Issuer
	kinds  kinds
}

// filterRequest is the part that requests for messages have in common.
type filterRequest interface {
	GetTopic() string
	GetIssuer() []byte
	GetKinds() []tangledv1.Kind
}

func newFilter(req filterRequest) (f filter, err error) {
	if f.topics, err = parseTopic(req.GetTopic()); err != nil {
		return f, err
	}
	if f.issuer, err = parseIssuer(req.GetIssuer()); err != nil {
		return f, err
	}
	f.kinds, err = parseKinds(req.GetKinds())
	return f, err
}

func (f *filter) accepts(m *message.Message) bool {
	if !f.kinds.has(m.Kind) || f.issuer != nil && m.Issuer != *f.issuer {
		return false
	}
	if f.topics.String() == "" {
		return true
	}
	data, err := m.Data()
	return err == nil && f.topics.Match(data.Topic)
}
