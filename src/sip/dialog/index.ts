export {
  ALLOW,
  type DialogRecord,
  dialogDestination,
  dialogFromInvite,
  dialogRequest,
  type LocalParty,
  refreshTarget,
  updateFromResponse,
} from './dialog.ts';
