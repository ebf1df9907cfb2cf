/** Lists of channels that nodes ask of each other, in letters (proto/peer.proto: ListAsked, Listed), both ways. */
import type { ByteWriter } from '../../base/bytes.js';
import { type HubName, channelNameBytesMax, parseHubName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { putNumber, putText } from '../../replication/wire-writer.js';
import type { ListAsked, Listed } from './peer-messages.js';
import type { LetterReader } from './peer-wire-reader.js';

/** What follows the id. */
export function putListing(out: ByteWriter, message: ListAsked | Listed): void {
  if (message.type === 'listAsked') {
    putNumber(out, 0x10, message.ringVersion);
    putText(out, 0x1a, message.hub);
    putText(out, 0x22, message.after);
    return putNumber(out, 0x28, message.limit);
  }
  for (const channel of message.channels) putText(out, 0x12, channel);
  putNumber(out, 0x18, message.more ? 1 : 0);
  putNumber(out, 0x20, message.isWhole ? 1 : 0);
}

export function readListAsked(reader: LetterReader): ListAsked {
  let [ringVersion, limit] = [0, 0];
  let [hub, after] = ['', ''];
  const id = reader.withId((tag) => {
    if (tag === 0x10) ringVersion = reader.varint();
    else if (tag === 0x1a) hub = reader.text(limits.intervalIdBytesMax);
    else if (tag === 0x22) after = reader.text(channelNameBytesMax);
    else if (tag === 0x28) limit = reader.varint();
    else return false;
    return true;
  });
  const name = parseHubName(hub);
  if (!name.ok || limit === 0) reader.fail();
  return { type: 'listAsked', id, ringVersion, hub: hub as HubName, after, limit };
}

export function readListed(reader: LetterReader): Listed {
  const channels: string[] = [];
  let [more, isWhole] = [false, false];
  const id = reader.withId((tag) => {
    if (tag === 0x12) {
      reader.item();
      channels.push(reader.text(channelNameBytesMax));
    } else if (tag === 0x18) more = reader.varint() !== 0;
    else if (tag === 0x20) isWhole = reader.varint() !== 0;
    else return false;
    return true;
  });
  if (channels.length > limits.channelsPageMax) reader.fail();
  return { type: 'listed', id, channels, more, isWhole };
}
