import { names } from './parameters.ts';

/** Applications of the call engine, so that a dialplan that names another one is told of it when it is read. */
export const KNOWN_APPLICATIONS: ReadonlySet<string> = names(`answer pre_answer ring_ready echo delay_echo bridge conference hangup respond
  redirect sleep park playback endless_playback gentones read play_and_get_digits set set_user multiset export unset eval log info
  transfer execute_extension sched_hangup limit hash db group bind_meta_app unbind_meta_app verbose_events privacy
  set_profile_var presence push acknowledge_call set_name flush_dtmf`);
