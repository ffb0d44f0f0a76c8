export {
  ALLOW,
  type DialogRecord,
  dialogDestination,
  dialogFromInvite,
  dialogNextHop,
  dialogRequest,
  type LocalParty,
  refreshTarget,
  updateFromResponse,
  viaValue,
} from './dialog.ts';
