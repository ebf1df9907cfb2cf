/** What clients ask of a channel that is loaded. */
import { type Result, ok } from '../base/result.js';
import type { Failure } from '../protocol/errors.js';
import type { ChannelQuestion, ServerMessage } from '../protocol/messages.js';
import type { ActiveChannel } from './active-channel.js';
import type { Core } from './core.js';
import { documentState } from './documents/reading.js';
import { historyPage } from './history.js';
import { notificationPage } from './notifications/reading.js';
import { scanOf } from './scan.js';

export async function answerTo(
  question: ChannelQuestion,
  core: Core,
  channel: ActiveChannel,
): Promise<Result<ServerMessage, Failure>> {
  switch (question.type) {
    case 'history': {
      const page = await historyPage(scanOf(core, channel), question);
      return page.ok ? ok({ type: 'history', ...page.value }) : page;
    }
    case 'documentGet': {
      const state = await documentState(core, channel, question);
      return state.ok ? ok({ type: 'document', ...state.value }) : state;
    }
    case 'notifications': {
      const page = await notificationPage(core, channel, question);
      return page.ok ? ok({ type: 'notifications', ...page.value }) : page;
    }
  }
}
