import type { CodecPreference } from './config.ts';

const MAX_CODECS = 50;

/** `PCMU,PCMA@8000h@20i,mod_bcg729.G729,H264~fmtp`; null when an entry cannot be read. */
export function parseCodecPreferences(text: string): readonly CodecPreference[] | null {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (entries.length > MAX_CODECS) return null;
  const codecs: CodecPreference[] = [];
  for (const entry of entries) {
    const [written = '', ...options] = entry.replace(/~.*$/, '').split('@');
    const name = written.slice(written.lastIndexOf('.') + 1).toUpperCase();
    if (!/^[A-Z0-9][A-Z0-9_/-]*$/.test(name)) return null;
    let packetTime: number | null = null;
    let rate: number | null = null;
    for (const option of options) {
      const match = /^(\d{1,7})([ihcbk])$/i.exec(option);
      if (match === null) return null;
      const number = Number(match[1]);
      const unit = match[2]?.toLowerCase();
      if (unit === 'i') packetTime = number;
      else if (unit === 'h') rate = number;
      else if (unit === 'k') rate = number * 1000;
    }
    codecs.push({ name, packetTime, rate });
  }
  return codecs;
}
