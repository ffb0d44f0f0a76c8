/** The largest UDP payload there is; a longer message is refused. Bytes. */
export const MAXIMUM_MESSAGE_BYTES = 65_535;
/** Header entries of one message, after comma lists were split. */
export const MAXIMUM_HEADERS = 256;
/** One header or start line, unfolded. Characters. */
export const MAXIMUM_HEADER_LENGTH = 16_384;
