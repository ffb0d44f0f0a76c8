import assert from 'node:assert/strict';
import { test } from 'node:test';
import fastCheck from 'fast-check';
import wavefile from 'wavefile';
import { UndropError } from '../../src/base/index.ts';
import * as rtp from '../../src/rtp/index.ts';

const RATE = 8000;

/** Power of one frequency in `samples`, as the amplitude of a sine (Goertzel). */
function amplitudeAt(samples: Int16Array, frequency: number, rate = RATE): number {
  let real = 0;
  let imaginary = 0;
  for (const [index, sample] of samples.entries()) {
    const angle = (2 * Math.PI * frequency * index) / rate;
    real += sample * Math.cos(angle);
    imaginary += sample * Math.sin(angle);
  }
  return (2 * Math.hypot(real, imaginary)) / samples.length;
}

function sine(frequency: number, rate: number, seconds: number): Int16Array {
  return Int16Array.from({ length: rate * seconds }, (_, index) => Math.round(10_000 * Math.sin((2 * Math.PI * frequency * index) / rate)));
}

test('G.711 codes have the values of the standard at the ends and around zero', () => {
  assert.deepEqual(
    [0x00, 0x80, 0x7f, 0xff].map((code) => rtp.decodeMuLaw[code]),
    [-32124, 32124, 0, 0],
  );
  assert.deepEqual(
    [0xd5, 0x55, 0xaa, 0x2a].map((code) => rtp.decodeALaw[code]),
    [8, -8, 32256, -32256],
  );
});

test('every G.711 code comes back from its own linear value', () => {
  for (let code = 0; code < 256; code++) {
    assert.equal(rtp.encodeALaw(rtp.decodeALaw[code] ?? 0), code);
    // 0x7f and 0xff both are zero.
    if (code !== 0x7f) assert.equal(rtp.encodeMuLaw(rtp.decodeMuLaw[code] ?? 0), code);
  }
});

test('encoding picks a nearest code for every 16-bit sample', () => {
  for (const [encode, decode, maximum] of [
    [rtp.encodeMuLaw, rtp.decodeMuLaw, 32124],
    [rtp.encodeALaw, rtp.decodeALaw, 32256],
  ] as const) {
    const sorted = [...decode].sort((left, right) => left - right);
    for (let sample = -32768; sample <= 32767; sample += 7) {
      const error = Math.abs((decode[encode(sample)] ?? 0) - sample);
      const clipped = Math.max(-maximum, Math.min(maximum, sample));
      const above = sorted.find((value) => value >= clipped) ?? maximum;
      const below = sorted.findLast((value) => value <= clipped) ?? -maximum;
      assert.ok(error <= Math.max(above - below, Math.abs(sample - clipped) + 1024), `sample ${sample}: error ${error}`);
    }
  }
});

test('A-law against µ-law stays within one step and keeps the sign', () => {
  for (let code = 0; code < 256; code++) {
    const linear = rtp.decodeMuLaw[code] ?? 0;
    const translated = rtp.decodeALaw[rtp.muLawToALaw[code] ?? 0] ?? 0;
    assert.ok(Math.abs(translated - linear) <= Math.max(16, Math.abs(linear) / 16), `µ-law ${code}: ${linear} became ${translated}`);
    const back = rtp.decodeMuLaw[rtp.aLawToMuLaw[code] ?? 0] ?? 0;
    const aLaw = rtp.decodeALaw[code] ?? 0;
    assert.ok(Math.abs(back - aLaw) <= Math.max(16, Math.abs(aLaw) / 16), `A-law ${code}: ${aLaw} became ${back}`);
  }
});

test('an RTP header is read as it was written', () => {
  fastCheck.assert(
    fastCheck.property(
      fastCheck.boolean(),
      fastCheck.nat(127),
      fastCheck.nat(0xffff),
      fastCheck.nat(0xffffffff),
      fastCheck.nat(0xffffffff),
      (marker, payloadType, sequence, timestamp, ssrc) => {
        const bytes = new Uint8Array(20);
        rtp.writeHeader(bytes, { marker, payloadType, sequence, timestamp, ssrc });
        assert.deepEqual(
          [rtp.readMarker(bytes), rtp.readPayloadType(bytes), rtp.readSequence(bytes), rtp.readTimestamp(bytes), rtp.readSsrc(bytes)],
          [marker, payloadType, sequence, timestamp, ssrc],
        );
        assert.equal(rtp.isRtp(bytes), payloadType < 64 || payloadType > 95 || !marker, 'RFC 5761 gives 64-95 with marker to RTCP');
        rtp.writePayloadType(bytes, 101);
        assert.equal(rtp.readMarker(bytes), marker, 'the payload type leaves the marker alone');
      },
    ),
  );
});

test('the payload excludes CSRC, extension and padding, and lying headers give null', () => {
  const bytes = Uint8Array.from([0xb1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 7, 7, 7, 7, 1, 2, 3, 0, 2]);
  assert.deepEqual([...(rtp.payloadOf(bytes) ?? [])], [1, 2, 3]);
  bytes[19] = 200;
  assert.equal(rtp.payloadOf(bytes), null);
  fastCheck.assert(
    fastCheck.property(fastCheck.uint8Array({ minLength: 12, maxLength: 60 }), (any) => {
      const payload = rtp.payloadOf(any);
      assert.ok(payload === null || payload.length <= any.length - rtp.RTP_HEADER_LENGTH);
    }),
  );
});

test('RTCP and foreign datagrams are not RTP', () => {
  assert.equal(rtp.isRtp(Uint8Array.from([0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0])), false);
  assert.equal(rtp.isRtcp(Uint8Array.from([0x80, 200, 0, 6, 0, 0, 0, 1])), true);
  assert.equal(rtp.isRtp(new TextEncoder().encode('OPTIONS sip:a@b SIP/2.0')), false);
  assert.equal(rtp.isRtp(new Uint8Array(3)), false);
});

test('sequence and timestamp differences cross the wrap', () => {
  assert.equal(rtp.sequenceDifference(2, 0xfffe), 4);
  assert.equal(rtp.sequenceDifference(0xfffe, 2), -4);
  assert.equal(rtp.timestampDifference(160, 0xffffff60), 320);
});

test('RFC 4733 events are read as written', () => {
  const bytes = new Uint8Array(8);
  rtp.writeTelephoneEvent(bytes, 2, { event: 11, end: true, volume: 10, duration: 99_999 });
  assert.deepEqual(rtp.readTelephoneEvent(bytes.subarray(2)), { event: 11, end: true, volume: 10, duration: 65_535 });
  assert.equal(rtp.readTelephoneEvent(bytes.subarray(6)), null);
  assert.equal([...'0123456789*#ABCD'].map((digit) => rtp.digitOfEvent(rtp.eventOfDigit(digit) ?? -1)).join(''), '0123456789*#ABCD');
  assert.deepEqual([rtp.eventOfDigit('x'), rtp.eventOfDigit(''), rtp.eventOfDigit('12'), rtp.digitOfEvent(16)], [null, null, null, null]);
});

test('a ring-back tone has its frequencies, its silence and its length', () => {
  const tone = new rtp.ToneScript('tone_stream://%(2000,4000,440.0,480.0);loops=2', RATE);
  assert.equal(tone.lengthSamples, 2 * 6 * RATE);
  const sounding = new Int16Array(RATE);
  assert.equal(tone.read(sounding, 0), RATE);
  const peak = 10 ** ((-7 - 6.16) / 20) * 32768 * Math.SQRT2;
  for (const frequency of [440, 480]) assert.ok(Math.abs(amplitudeAt(sounding, frequency) - peak) < 100);
  assert.ok(amplitudeAt(sounding, 460) < 100);
  const silent = new Int16Array(RATE).fill(1);
  tone.read(silent, 3 * RATE);
  assert.ok(silent.every((sample) => sample === 0));
  assert.equal(tone.read(new Int16Array(160), 12 * RATE - 100), 100);
  assert.equal(tone.read(new Int16Array(160), 12 * RATE + 5), 0);
});

test('a tone goes on at its position: pieces equal the whole', () => {
  const tone = new rtp.ToneScript('v=-10;%(275,10,600);%(375,100,300,350);l=2;%(20,20,1000);d=60;w=40;12#;loops=-1', RATE);
  assert.equal(tone.lengthSamples, null);
  const whole = new Int16Array(4 * RATE);
  tone.read(whole, 0);
  fastCheck.assert(
    fastCheck.property(fastCheck.nat(3 * RATE), fastCheck.integer({ min: 1, max: 800 }), (position, length) => {
      const piece = new Int16Array(length);
      assert.equal(tone.read(piece, position), length);
      for (const [index, sample] of piece.entries()) assert.ok(Math.abs(sample - (whole[position + index] ?? 0)) <= 1);
    }),
  );
});

test('digits sound as DTMF pairs', () => {
  const samples = new Int16Array(RATE / 4);
  new rtp.ToneScript('d=1000;5', RATE).read(samples, 0);
  for (const frequency of [770, 1336]) assert.ok(amplitudeAt(samples, frequency) > 5000);
  for (const frequency of [697, 852, 1209, 1477]) assert.ok(amplitudeAt(samples, frequency) < 500);
});

test('a bad tone script is refused with what is wrong in it', () => {
  for (const [script, part] of [
    ['', /holds no tone/],
    ['%(abc,1,2)', /"abc"/],
    ['%(100,100,9000)', /"9000"/],
    ['%100,200', /not followed/],
    ['hello', /"hello"/],
    ['q=3;%(1,1,440)', /q=/],
    ['v=20;%(1,1,440)', /volume/],
    ['%(100,0,440);loops=x', /loops/],
    ['1'.repeat(2000), /more than/],
  ] as const) {
    assert.throws(
      () => new rtp.ToneScript(script, RATE),
      (error) => error instanceof UndropError && error.code === 'TONE_SCRIPT' && part.test(error.message),
    );
  }
  fastCheck.assert(
    fastCheck.property(fastCheck.stringMatching(/^[%(),;=0-9a-zL<>+.\- ]{0,40}$/), (script) => {
      try {
        new rtp.ToneScript(script, RATE).read(new Int16Array(160), 12_345);
      } catch (error) {
        assert.ok(error instanceof UndropError, String(error));
      }
    }),
  );
});

for (const rate of [8000, 16_000, 32_000, 44_100, 48_000]) {
  for (const channels of [1, 2]) {
    test(`a WAV of ${rate} Hz with ${channels} channel(s) plays at 8000 Hz without its upper band`, () => {
      const low = sine(1000, rate, 1);
      const high = sine(Math.min(rate / 2 - 500, 7000), rate, 1);
      const mixed = rate === RATE ? low : low.map((sample, index) => sample + (high[index] ?? 0));
      const file = new wavefile.WaveFile();
      file.fromScratch(channels, rate, '16', channels === 1 ? mixed : [mixed, mixed]);
      const samples = rtp.readWav(file.toBuffer(), RATE);
      assert.equal(samples.length, RATE);
      const middle = samples.subarray(800, 7200);
      assert.ok(Math.abs(amplitudeAt(middle, 1000) - 10_000) < 200);
      // 7000 Hz would fold to 1000 Hz, where it shows as a wrong level; other frequencies fold elsewhere.
      if (rate > RATE) assert.ok(middle.every((sample) => Math.abs(sample) < 10_600));
    });
  }
}

test('A-law, µ-law, 8 and 24 bit WAV files are read', () => {
  for (const depth of ['8', '24', '8a', '8m'] as const) {
    const file = new wavefile.WaveFile();
    file.fromScratch(1, RATE, '16', sine(500, RATE, 1));
    if (depth === '8a') file.toALaw();
    else if (depth === '8m') file.toMuLaw();
    else file.toBitDepth(depth);
    const samples = rtp.readWav(file.toBuffer(), RATE);
    assert.equal(samples.length, RATE, depth);
    assert.ok(Math.abs(amplitudeAt(samples, 500) - 10_000) < 300, `${depth}: ${amplitudeAt(samples, 500)}`);
  }
});

test('a damaged WAV is refused with its damage, a cut-off one is read as far as it goes', () => {
  const file = new wavefile.WaveFile();
  file.fromScratch(1, RATE, '16', sine(500, RATE, 1));
  const bytes = file.toBuffer();
  assert.throws(() => rtp.readWav(new Uint8Array(10), RATE), /RIFF/);
  assert.throws(() => rtp.readWav(bytes.subarray(0, 36), RATE), /no data chunk/);
  assert.equal(rtp.readWav(bytes.subarray(0, 44 + 1000), RATE).length, 500);
  fastCheck.assert(
    fastCheck.property(fastCheck.array(fastCheck.tuple(fastCheck.nat(60), fastCheck.nat(255)), { maxLength: 6 }), (changes) => {
      const broken = bytes.slice(0, 2000);
      for (const [offset, value] of changes) broken[offset] = value;
      try {
        rtp.readWav(broken, RATE);
      } catch (error) {
        assert.ok(error instanceof UndropError, String(error));
      }
    }),
  );
});
