const NTP_EPOCH_OFFSET_SECONDS = 2_208_988_800;

/**
 * The CSeq to go on from in a dialog that FreeSWITCH began. sofia-sip starts each process at `(NTP seconds >> 1) &
 * 0x7ffffff` (nua_dialog), so the peer may have seen numbers up to that; and at least the stored one + 1 where it was
 * ours. `now`: wall microseconds. `stored`: its `sip_cseq` when that number was ours, else null.
 */
export function freeswitchCSeq(now: number, stored: number | null): number {
  const seconds = Math.floor(now / 1_000_000) + NTP_EPOCH_OFFSET_SECONDS;
  const fresh = Math.floor((seconds % 2 ** 32) / 2) & 0x7ffffff;
  return stored === null ? fresh : Math.max(fresh, stored + 1);
}
