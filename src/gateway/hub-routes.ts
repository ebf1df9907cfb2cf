/** Hubs and their settings for administrators: one setting at a time, or all of them as one file. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { IncomingHttpHeaders } from 'node:http';
import { Type } from 'typebox';
import type { NodeApi } from '../engine/api.js';
import { checkDocument, checkSetting, isSection, sections } from '../hubs/change.js';
import { type Result, err, ok } from '../base/result.js';
import { type Failure, failure } from '../protocol/errors.js';
import { authenticate } from './authenticate.js';
import type { GatewayContext } from './context.js';
import { need } from './request-values.js';
import { hubParams, hubsAnswer } from './schemas.js';

const settingParams = Type.Object({
  hub: Type.String({ description: 'Name of a hub' }),
  section: Type.String({ description: `One of ${sections.join(', ')}` }),
  name: Type.String({ description: 'Of the setting in its section, percent-encoded' }),
});
const createdAnswer = Type.Object({ created: Type.Boolean({ description: 'False: it was there' }) });
const doneAnswer = Type.Object({ done: Type.Boolean() });
const anyValue = Type.Unknown({ description: 'The setting, as docs/hubs.md describes it' });
const documentAnswer = Type.Object(
  {},
  { additionalProperties: true, description: 'Settings by section and name' },
);
const tags = ['admin'];

export const hubRoutes: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (app, { context }) => {
  const { api } = context;
  app.get(
    '/v1/admin/hubs',
    { schema: { summary: 'All hubs', tags: ['admin'], response: { 200: hubsAnswer } } },
    async () => ({ hubs: [...(await api.hubs())] }),
  );
  app.put(
    '/v1/admin/hubs/:hub',
    { schema: { summary: 'Make a hub', tags, params: hubParams, response: { 200: createdAnswer } } },
    async ({ params, headers }) => ({ created: need(await api.createHub(params.hub, asker(api, headers))) }),
  );
  app.delete(
    '/v1/admin/hubs/:hub',
    {
      schema: {
        summary: 'Delete a hub: nobody can use it from now on, and what it holds goes in the background',
        tags,
        params: hubParams,
        response: { 200: doneAnswer },
      },
    },
    async ({ params, headers }) => {
      need(await api.deleteHub(params.hub, asker(api, headers)));
      return { done: true };
    },
  );
  app.get(
    '/v1/admin/hubs/:hub/settings',
    {
      schema: {
        summary: 'What was set at run time: the file that an import takes, secrets included',
        tags,
        params: hubParams,
        response: { 200: documentAnswer },
      },
    },
    async ({ params }) => need(await api.settings(params.hub)),
  );
  app.put(
    '/v1/admin/hubs/:hub/settings',
    {
      schema: {
        summary: 'Replace all that was set at run time',
        tags,
        params: hubParams,
        body: documentAnswer,
        response: { 200: doneAnswer },
      },
    },
    async ({ params, body, headers }) => {
      const document = need(checked(checkDocument(body)));
      need(await api.changeSettings(params.hub, { type: 'replace', document }, asker(api, headers)));
      return { done: true };
    },
  );
  await app.register(settingRoutes, { context });
};

const settingRoutes: FastifyPluginAsyncTypebox<{ context: GatewayContext }> = async (
  app,
  { context: { api, clock } },
) => {
  app.put(
    '/v1/admin/hubs/:hub/settings/:section/:name',
    {
      schema: {
        summary: 'Put one setting',
        tags,
        params: settingParams,
        body: anyValue,
        response: { 200: doneAnswer },
      },
    },
    async ({ params: { hub, section, name }, body, headers }) => {
      const of = need(sectionOf(section));
      // By the clock of a node, as tokens are: whoever asks may have any.
      const isNow = of === 'revoked' && body === 'now';
      const value = need(checked(checkSetting(of, name, isNow ? Math.floor(clock.wallMs()) : body)));
      need(await api.changeSettings(hub, { type: 'put', section: of, name, value }, asker(api, headers)));
      return { done: true };
    },
  );
  app.delete(
    '/v1/admin/hubs/:hub/settings/:section/:name',
    {
      schema: { summary: 'Remove one setting', tags, params: settingParams, response: { 200: doneAnswer } },
    },
    async ({ params: { hub, section, name }, headers }) => {
      const of = need(sectionOf(section));
      need(await api.changeSettings(hub, { type: 'remove', section: of, name }, asker(api, headers)));
      return { done: true };
    },
  );
};

/** For the log. */
function asker(api: NodeApi, headers: IncomingHttpHeaders): string {
  return need(authenticate(api, headers)).actor;
}

function sectionOf(text: string) {
  return isSection(text)
    ? ok(text)
    : err(failure('INVALID', { message: `Sections of settings are ${sections.join(', ')}.` }));
}

function checked<T>(result: Result<T, string>): Result<T, Failure> {
  return result.ok ? result : err(failure('INVALID', { message: result.error }));
}
