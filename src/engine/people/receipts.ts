/** Puts down what readers say that they have received and read. */
import { utf8, utf8Text } from '../../base/bytes.js';
import { type ChannelName, type ChannelRef, type HubName, parseChannelName } from '../../base/ids.js';
import { limits } from '../../base/limits.js';
import { type Result, err, ok } from '../../base/result.js';
import { refusal } from '../../channels/permissions.js';
import { mayHaveReceipts, receiptsChannelOf } from '../../channels/receipt-channels.js';
import type { ChannelRules } from '../../channels/rules.js';
import { ifVersionHeader } from '../../documents/fold.js';
import { encodeContent } from '../../log/entry-wire.js';
import { type ReceiptPatch, type ReceiptRequest, receiptPatch } from '../../people/receipts.js';
import { jsonPatchType } from '../../protocol/content-type.js';
import { type Failure, failure } from '../../protocol/errors.js';
import type { DocumentState } from '../../protocol/messages.js';
import type { PeopleAnswer, Principal } from '../api.js';
import type { EnginePorts } from '../ports.js';

export interface ReceiptsHost {
  readonly ports: Pick<EnginePorts, 'timers'>;
  rulesOf(ref: ChannelRef): ChannelRules | undefined;
  document(ref: ChannelRef): Promise<Result<DocumentState, Failure>>;
  /** Durable once it resolves. */
  patch(ref: ChannelRef, content: Uint8Array, actor: string): Promise<Result<unknown, Failure>>;
}

/** Somebody else changed the document, this node is behind, or it may be written: what is there then says so. */
const again: ReadonlySet<string> = new Set(['PATCH_FAILED', 'VERSION_MISMATCH', 'INDETERMINATE']);

export async function markReceipt(
  host: ReceiptsHost,
  hub: HubName,
  request: ReceiptRequest,
  principal: Principal,
): Promise<Result<PeopleAnswer, Failure>> {
  const { channel } = request;
  const ref = refOf(host, hub, channel, principal);
  if (!ref.ok) return ref;
  for (let tries = 0; tries < limits.receiptTriesMax; tries++) {
    if (tries > 0) await pause(host, tries * limits.receiptRetryMs);
    const state = await host.document(ref.value);
    if (!state.ok) return state;
    const { info, value } = state.value;
    const patch = receiptPatch(utf8Text(value), principal.actor, request, (user) =>
      isGone(host, hub, channel, user),
    );
    if (!patch) return ok({ channel });
    const written = await host.patch(ref.value, contentOf(patch, info.version), principal.actor);
    if (written.ok) return ok({ channel });
    if (!again.has(written.error.code)) return written;
  }
  return err(failure('UNAVAILABLE', { channel, retryAfterMs: 500 }));
}

/** Where it is put down, for whoever reads the channel as a user of the hub. */
function refOf(
  host: ReceiptsHost,
  hub: HubName,
  of: string,
  principal: Principal,
): Result<ChannelRef, Failure> {
  if (!principal.authenticated) return err(failure('UNAUTHENTICATED', { channel: of }));
  const name = parseChannelName(of);
  const channel = parseChannelName(receiptsChannelOf(of));
  if (!name.ok || !channel.ok)
    return err(
      failure('BAD_NAME', {
        channel: of,
        message: name.ok ? 'The name is too long for receipts.' : name.error,
      }),
    );
  const rules = host.rulesOf({ hub, channel: name.value });
  if (!rules) return err(failure('UNAVAILABLE', { channel: of, retryAfterMs: 500 }));
  const refused = refusal(principal, 'subscribe', of, rules);
  if (refused) return err(refused);
  if (!mayHaveReceipts(of) || !rules.receipts)
    return err(failure('UNSUPPORTED', { channel: of, message: 'Receipts of this channel are not kept.' }));
  return ok({ hub, channel: channel.value });
}

function isGone(host: ReceiptsHost, hub: HubName, channel: string, user: string): boolean {
  return host.rulesOf({ hub, channel: channel as ChannelName })?.members?.has(user) === false;
}

function contentOf({ operations, isOfVersion }: ReceiptPatch, version: number): Uint8Array {
  return encodeContent({
    contentType: jsonPatchType,
    payload: utf8(JSON.stringify(operations)),
    ...(isOfVersion ? { headers: new Map([[ifVersionHeader, String(version)]]) } : {}),
  });
}

function pause({ ports }: ReceiptsHost, ms: number): Promise<void> {
  return new Promise((resolve) => void ports.timers.after(ms, resolve));
}
