package snapshot

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
)

const (
	magic         = "tangsnap"
	formatVersion = 1
	headerSize    = len(magic) + 4

	frameHeaderSize = 1 + 4 + 4 + 4
	// blockSize is the content of a frame at most: enough for the compressor to
	// find what repeats, and little to hold.
	blockSize = 256 << 10
	// maxStored is what the compressor may make of a block that it cannot
	// compress.
	maxStored = blockSize + 1024
)

// The kinds of frame.
const (
	kindBody    = 'B'
	kindTrailer = 'T'
)

// frameWriter writes the header and frames.
type frameWriter struct {
	w       io.Writer
	encoder *zstd.Encoder
	frame   []byte
	written int64
}

func newFrameWriter(w io.Writer) (*frameWriter, error) {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1), // EncodeAll in the caller's goroutine
		zstd.WithWindowSize(blockSize),
		zstd.WithEncoderCRC(false), // the frame has its own, to be checked before anything is decompressed
	)
	if err != nil {
		return nil, err
	}
	f := &frameWriter{w: w, encoder: encoder}
	return f, f.put(binary.BigEndian.AppendUint32([]byte(magic), formatVersion))
}

// write adds a frame with content of 1..blockSize bytes.
func (f *frameWriter) write(kind byte, content []byte) error {
	b := append(f.frame[:0], make([]byte, frameHeaderSize)...)
	b = f.encoder.EncodeAll(content, b)
	b[0] = kind
	binary.BigEndian.PutUint32(b[1:], uint32(len(content)))
	binary.BigEndian.PutUint32(b[5:], uint32(len(b)-frameHeaderSize))
	binary.BigEndian.PutUint32(b[9:], checksum(b[:9], b[frameHeaderSize:]))
	f.frame = b
	return f.put(b)
}

func (f *frameWriter) put(b []byte) error {
	n, err := f.w.Write(b)
	f.written += int64(n)
	return err
}

func checksum(header, stored []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(header, table), table, stored)
}

// frameReader reads what frameWriter wrote. It holds one frame.
type frameReader struct {
	r               *bufio.Reader
	decoder         *zstd.Decoder
	stored, content []byte // room for one frame
	read            int64
}

func newFrameReader(r io.Reader) (*frameReader, error) {
	decoder, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), // DecodeAll in the caller's goroutine
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(blockSize),
		zstd.WithDecoderMaxMemory(blockSize), // of what comes out, whatever the frames say
	)
	if err != nil {
		return nil, err
	}
	return &frameReader{r: bufio.NewReader(r), decoder: decoder}, nil
}

func (f *frameReader) close() { f.decoder.Close() }

// header reads the magic and the version.
func (f *frameReader) header() error {
	var b [headerSize]byte
	if err := f.fill(b[:]); err != nil {
		return err
	}
	if string(b[:len(magic)]) != magic {
		return invalidf(ReasonEncoding, "begins with %q, want %q", b[:len(magic)], magic)
	}
	if version := binary.BigEndian.Uint32(b[len(magic):]); version != formatVersion {
		return invalidf(ReasonVersion, "format %d, this program knows %d", version, formatVersion)
	}
	return nil
}

// next is the kind and the content of the next frame, which is valid until the
// call after.
func (f *frameReader) next() (byte, []byte, error) {
	var header [frameHeaderSize]byte
	if err := f.fill(header[:]); err != nil {
		return 0, nil, err
	}
	size, stored := binary.BigEndian.Uint32(header[1:]), binary.BigEndian.Uint32(header[5:])
	if size > blockSize || stored > maxStored {
		return 0, nil, invalidf(ReasonEncoding, "frame of %d bytes, %d as stored, at most %d and %d",
			size, stored, blockSize, maxStored)
	}
	f.stored = slices.Grow(f.stored[:0], int(stored))
	b := f.stored[:stored]
	if err := f.fill(b); err != nil {
		return 0, nil, err
	}
	if want := binary.BigEndian.Uint32(header[9:]); checksum(header[:9], b) != want {
		return 0, nil, invalidf(ReasonChecksum, "frame that ends at byte %d does not have its checksum", f.read)
	}
	f.content = slices.Grow(f.content[:0], int(size))
	content, err := f.decoder.DecodeAll(b, f.content[:0:size])
	if err != nil {
		return 0, nil, invalidf(ReasonEncoding, "frame that ends at byte %d: %w", f.read, err)
	}
	if len(content) != int(size) {
		return 0, nil, invalidf(ReasonEncoding, "frame of %d bytes, said to be %d", len(content), size)
	}
	return header[0], content, nil
}

// end tells whether nothing comes after.
func (f *frameReader) end() error {
	_, err := f.r.ReadByte()
	switch {
	case err == nil:
		return invalidf(ReasonEncoding, "bytes after the trailer, which ends at byte %d", f.read)
	case err != io.EOF:
		return fmt.Errorf("read snapshot: %w", err)
	}
	return nil
}

func (f *frameReader) fill(dst []byte) error {
	n, err := io.ReadFull(f.r, dst)
	f.read += int64(n)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return invalidf(ReasonEncoding, "ends after %d bytes: %w", f.read, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("read snapshot: %w", err)
}
