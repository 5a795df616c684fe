package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// fakeBroker answers a connection's packets with what answers says: hexadecimal, one
// for each packet; then it ends the connection.
func fakeBroker(t *testing.T, answers ...string) (address string, got <-chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	packets := make(chan []byte, len(answers)+1)
	ended := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		for _, answer := range answers {
			kind, body, err := readPacket(r)
			if err != nil {
				return
			}
			packets <- appendPacket(nil, kind, body)
			b, _ := hex.DecodeString(strings.ReplaceAll(answer, " ", ""))
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
	}()
	return l.Addr().String(), packets
}

const connected = "20 03 00 00 00"

func TestMQTTPackets(t *testing.T) {
	address, got := fakeBroker(t, connected, "40 02 00 03", "40 04 00 01 97 00", "d0 00 40 02 ff ff 40 03 00 02 10", "e0 00")
	d, err := newMQTTDoor(t.Context(), address, "me", 3)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if want := append([]byte{0x10, 15, 0, 4}, "MQTT\x05\x02\x00\x00\x00\x00\x02me"...); !bytes.Equal(<-got, want) {
		t.Errorf("CONNECT is not %x", want)
	}
	if err := d.publish(t.Context(), 2, "a/b", []byte("hello")); err != nil {
		t.Errorf("publish: %v", err)
	}
	want := append([]byte{0x32, 2 + 3 + 2 + 1 + 19 + 5}, "\x00\x03a/b\x00\x03\x13\x03\x00\x10application/jsonhello"...)
	if packet := <-got; !bytes.Equal(packet, want) {
		t.Errorf("PUBLISH %q, want %q", packet, want)
	}
	var refused refusedError
	if err := d.publish(t.Context(), 0, "a", nil); !errors.As(err, &refused) || refused != 0x97 {
		t.Errorf("publish: %v, want reason 0x97", err)
	}
	// A PINGRESP and a PUBACK of a stranger come first; a reason below 0x80 is none.
	if err := d.publish(t.Context(), 1, "a", nil); err != nil {
		t.Errorf("publish: %v", err)
	}
	if err := d.publish(t.Context(), 1, "a", nil); err == nil {
		t.Error("published although the broker ended the connection")
	}
	<-d.ended
	if err := d.publish(t.Context(), 1, "a", nil); err == nil {
		t.Error("published on an ended connection")
	}
}

func TestMQTTPublishEndsWithItsContext(t *testing.T) {
	address, _ := fakeBroker(t, connected, "", "")
	d, err := newMQTTDoor(t.Context(), address, "me", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.publish(ctx, 0, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("publish: %v, want %v", err, context.Canceled)
	}
}

func TestMQTTConnectRefused(t *testing.T) {
	for name, answer := range map[string]string{
		"reason":     "20 03 00 87 00",
		"no CONNACK": "40 02 00 01",
		"short":      "20 01 00",
		"too long":   "20 ff ff ff 7f",
		"cut":        "20 03 00",
		"no varint":  "20 ff ff ff ff ff ff ff ff ff ff ff",
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := fakeBroker(t, answer)
			if d, err := newMQTTDoor(t.Context(), address, "me", 1); err == nil {
				d.close()
				t.Error("connected")
			}
		})
	}
	// No memory is taken for what is longer than any answer.
	if _, _, err := readPacket(bufio.NewReader(bytes.NewReader([]byte{0x20, 0xff, 0xff, 0xff, 0x7f}))); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a packet of 256 MiB: %v", err)
	}
	address, _ := fakeBroker(t)
	if _, err := newMQTTDoor(t.Context(), address, "me", 1); err == nil {
		t.Error("connected to nobody")
	}
}

func FuzzReadPacket(f *testing.F) {
	f.Add([]byte{0x20, 3, 0, 0, 0})
	f.Add([]byte{0x40, 2, 0, 1, 0xe0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		for {
			kind, body, err := readPacket(r)
			if err != nil {
				return
			}
			again, body2, err := readPacket(bufio.NewReader(bytes.NewReader(appendPacket(nil, kind, body))))
			if err != nil || again != kind || !bytes.Equal(body, body2) {
				t.Fatalf("%#02x %x became %#02x %x, %v", kind, body, again, body2, err)
			}
		}
	})
}

// The stream of a node that is gone fails its readings.
func TestStreamOfNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	d, err := newStreamDoor(t.Context(), address, 1)
	if err != nil {
		return // it may be noticed at once
	}
	defer d.close()
	if err := d.publish(t.Context(), 0, "a", nil); err == nil {
		t.Error("published to nobody")
	}
}
