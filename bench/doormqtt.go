package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// mqttClients is how many connections the sources share.
const mqttClients = 100

// Packet types of MQTT 5 in the first byte of a packet, with the flags that this
// client uses.
const (
	packetConnect    = 0x10
	packetConnack    = 0x20
	packetPublishQoS = 0x32 // QoS 1
	packetPuback     = 0x40
	packetDisconnect = 0xe0
)

// Reason codes from here on are refusals.
const refusal = 0x80

// refusedError is the reason code of an answer.
type refusedError uint8

func (e refusedError) Error() string { return fmt.Sprintf("refused with reason %#02x", uint8(e)) }

// mqttDoor is an MQTT 5 connection that publishes at QoS 1 and nothing else: a
// client for general use costs as much CPU as the node that is measured. The packet
// identifier of a reading is its slot + 1.
type mqttDoor struct {
	conn    net.Conn
	replies []chan error

	writing sync.Mutex
	b       []byte
	ended   chan struct{} // closed when no answer comes any more, err is set before
	err     error
}

func newMQTTDoor(ctx context.Context, address, clientID string, slots int) (*mqttDoor, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	d := &mqttDoor{conn: conn, replies: make([]chan error, slots), ended: make(chan struct{})}
	for i := range d.replies {
		d.replies[i] = make(chan error, 1)
	}
	r := bufio.NewReader(conn)
	if err := d.connect(r, clientID); err != nil {
		return nil, errors.Join(fmt.Errorf("connect %s to %s: %w", clientID, address, err), conn.Close())
	}
	go d.receive(r)
	return d, nil
}

// connect begins a clean session that needs no keep-alive.
func (d *mqttDoor) connect(r *bufio.Reader, clientID string) error {
	const cleanStart = 0x02
	body := appendString(nil, "MQTT")
	body = append(body, 5, cleanStart, 0, 0, 0) // version, flags, keep-alive, no properties
	body = appendString(body, clientID)
	if _, err := d.conn.Write(appendPacket(nil, packetConnect, body)); err != nil {
		return err
	}
	kind, body, err := readPacket(r)
	switch {
	case err != nil:
		return err
	case kind != packetConnack || len(body) < 2:
		return fmt.Errorf("packet %#02x instead of a CONNACK", kind)
	case body[1] >= refusal:
		return refusedError(body[1])
	}
	return nil
}

// receive hands the acknowledgements to those who wait.
func (d *mqttDoor) receive(r *bufio.Reader) {
	defer close(d.ended)
	for {
		kind, body, err := readPacket(r)
		switch {
		case err != nil:
			d.err = fmt.Errorf("connection: %w", err)
			return
		case kind == packetDisconnect:
			d.err = errors.New("the broker ended the connection")
			return
		case kind != packetPuback || len(body) < 2:
			continue
		}
		slot := int(binary.BigEndian.Uint16(body)) - 1
		if slot < 0 || slot >= len(d.replies) {
			continue
		}
		if len(body) > 2 && body[2] >= refusal {
			err = refusedError(body[2])
		}
		d.replies[slot] <- err
	}
}

func (d *mqttDoor) publish(ctx context.Context, slot int, topic string, content []byte) error {
	if err := d.send(slot, topic, content); err != nil {
		return err
	}
	select {
	case err := <-d.replies[slot]:
		return err
	case <-d.ended:
		return d.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *mqttDoor) send(slot int, topic string, content []byte) error {
	const contentTypeProperty = 0x03
	d.writing.Lock()
	defer d.writing.Unlock()
	properties := 1 + 2 + len(contentType)
	size := 2 + len(topic) + 2 + 1 + properties + len(content)
	b := binary.AppendUvarint(append(d.b[:0], packetPublishQoS), uint64(size))
	b = appendString(b, topic)
	b = binary.BigEndian.AppendUint16(b, uint16(slot+1))
	b = append(b, byte(properties), contentTypeProperty)
	b = appendString(b, contentType)
	d.b = append(b, content...)
	_, err := d.conn.Write(d.b)
	return err
}

// close ends the connection and waits for its reader.
func (d *mqttDoor) close() error {
	_, _ = d.conn.Write([]byte{packetDisconnect, 0}) // the broker may be gone
	err := d.conn.Close()
	<-d.ended
	return err
}

// appendPacket appends a control packet. Lengths of MQTT are encoded as Go's
// unsigned varints.
func appendPacket(b []byte, kind byte, body []byte) []byte {
	b = binary.AppendUvarint(append(b, kind), uint64(len(body)))
	return append(b, body...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// readPacket reads a control packet that a broker sends to one who does not
// subscribe: some bytes.
func readPacket(r *bufio.Reader) (kind byte, body []byte, err error) {
	const most = 1 << 16
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	if size > most {
		return 0, nil, fmt.Errorf("packet %#02x of %d bytes", kind, size)
	}
	body = make([]byte, size)
	_, err = io.ReadFull(r, body)
	return kind, body, err
}
