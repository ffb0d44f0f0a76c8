export { systemClock } from './clock.ts';
export { replaceFile } from './file.ts';
export { LineClient } from './line-client.ts';
export { createLogger } from './logger.ts';
export { lockFile } from './native.ts';
export { processAlive, processStartTime } from './process.ts';
export { systemRandom } from './random.ts';
export {
  closeDescriptor,
  DescriptorReceiver,
  maximumDescriptorsAtOnce,
  openSocket,
  sendDescriptor,
  socketAddress,
} from './raw-socket.ts';
export { systemResolver } from './resolver.ts';
export { UdpSocket } from './udp.ts';
