import { names, type ParameterTable } from './parameters.ts';

/** Parameters of a SIP profile (mod_sofia, sofia.c config_sofia). */
export const PROFILE_PARAMETERS: ParameterTable = {
  area: 'sip profile',
  used: names(`apply-inbound-acl sip-ip sip-port rtp-ip ext-sip-ip ext-rtp-ip context dialplan inbound-codec-prefs outbound-codec-prefs codec-prefs track-calls
    auth-calls accept-blind-reg challenge-realm user-agent-string rfc2833-pt dtmf-type rtp-timeout-sec rtp-hold-timeout-sec enable-timer
    session-timeout minimum-session-expires enable-100rel timer-t1 timer-t2 timer-t4 timer-t1x64 recovery-refresh recovery-rate
    nonce-ttl force-register-domain rfc8760-auth-algorithms force-register-db-domain sip-force-expires sip-expires-max-deviation
    multiple-registrations max-registrations-per-extension disable-register inbound-reg-force-matching-username`),
  ignored: names(`debug sip-trace sip-capture shutdown-on-fail watchdog-enabled watchdog-step-timeout watchdog-event-timeout
    log-auth-failures forward-unsolicited-mwi-notify dtmf-duration rtp-timer-name hold-music apply-nat-acl cid-in-1xx extended-info-parsing
    aggressive-nat-detection disable-srv503 enable-compact-headers local-network-acl send-message-query-on-register
    send-presence-on-register caller-id-type record-path record-template presence-probe-on-register presence-proto-lookup dbname presence-hosts
    presence-privacy bitpacking max-proceeding max-recv-requests-per-second inbound-codec-negotiation bind-params unregister-on-options-fail
    all-reg-options-ping nat-options-ping sip-options-respond-503-on-busy sip-messages-respond-200-ok sip-subscribe-respond-200-ok
    tls-bind-params tls-sip-port tls-cert-dir tls-passphrase tls-verify-date tls-verify-policy tls-verify-depth tls-verify-in-subjects
    tls-version tls-ciphers tls-timeout tls-orq-connect-timeout rtp-autoflush-during-bridge rtp-autoflush rtp-rewrite-timestamps pass-rfc2833
    db-spin-up-wait-ms odbc-skip-autocommit-flip inbound-late-negotiation suppress-cng disable-transcoding auth-subscriptions auth-all-packets
    force-subscription-domain delete-subs-on-register inbound-reg-in-new-thread rtcp-audio-interval-msec rtcp-video-interval-msec
    force-subscription-expires sip-subscription-max-deviation ndlb-force-rport ndlb-broken-auth-hash ndlb-received-in-nat-reg-contact
    ndlb-sendrecv-in-session ndlb-allow-bad-iananame ndlb-expires-in-register-response disable-rtp-auto-adjust inbound-use-callid-as-uuid
    outbound-use-uuid-as-callid rtp-autofix-timing pass-callee-id auto-rtp-bugs disable-srv disable-naptr auto-jitterbuffer-msec
    renegotiate-codec-on-hold auto-invite-100 media-option liberal-dtmf rtp-digit-delay vad alias registration-thread-frequency ping-mean-interval
    manage-presence manage-shared-appearance username sip-user-ping-min sip-user-ping-max parse-invite-tel-params confirm-blind-transfer
    cng-pt p-asserted-id-parse rtcp-mux tcp-keepalive tcp-pingpong tcp-ping2pong tls-always-nat tcp-always-nat tcp-unreg-on-socket-close
    keepalive-method user-agent-filter max-reg-threads fire-message-events fire-transfer-events channel-xml-fetch-on-nightmare-transfer
    rtp-notimer-during-bridge initialism auto-restart cluster-hash contact-user default-ringback sdp-owner-string mwi-use-reg-callid
    accept-blind-auth use-rtp-timer inbound-zrtp-passthru apply-candidate-acl enable-rfc-5626 ignore-completed-elsewhere
    rtp-bind-port-range video-conversion tls dtls-version proxy-follow-redirect proxy-info-content-types proxy-hold allow-update
    server-rport-level client-rport-level sip-user-agent minimum-session-expires-strict session-refresh-method`),
  missing:
    names(`apply-register-acl apply-proxy-acl tls-only ws-binding wss-binding odbc-dsn inbound-bypass-media inbound-proxy-media enable-3pcc manual-redirect disable-transfer
    disable-hold reg-acl rtp-secure-media require-secure-rtp stun-enabled stun-auto-disable outbound-proxy t38-passthru proxy-media bypass-media
    max-calls unregistered-action`),
};

/** Parameters of a gateway (mod_sofia, sofia.c parse_gateways). */
export const GATEWAY_PARAMETERS: ParameterTable = {
  area: 'gateway',
  used: names(`username auth-username password realm from-user from-domain proxy register-proxy outbound-proxy register-transport register
    expire-seconds retry-seconds caller-id-in-from cid-type extension extension-in-contact contact-params contact-host context
    ping ping-min ping-max`),
  ignored: names(`distinct-to rfc-5626 reg-id hostname gateway-cid-type ping-monitoring contact-in-ping ping-user-agent options-context
    options-from-uri options-to-uri options-user-agent channels caller-id-type register-proxy-port 302-to-manual-route codec-prefs`),
  missing: names('subscriptions register-sticky-proxy outbound-sticky-proxy destination-prefix sip-privacy-header'),
};
