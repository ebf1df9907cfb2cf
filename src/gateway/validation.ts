/** Requests against their schemas. A body is taken as it is; in paths and queries, where everything is text, digits are
 *  numbers where the schema asks for one. */
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

export function installValidation(app: FastifyInstance): void {
  const compiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
    const check = Compile(schema);
    const numbers = httpPart === 'body' ? [] : numericNames(schema);
    return (given: unknown) => {
      const value = numbers.length > 0 ? withNumbers(given as Record<string, unknown>, numbers) : given;
      if (check.Check(value)) return { value };
      return { error: new Error(sentenceOf(check.Errors(value), httpPart)) };
    };
  };
  app.setValidatorCompiler(compiler);
  // Response schemas are documentation: what a route answers goes out whole.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function numericNames(schema: TSchema): string[] {
  const { properties = {} } = schema as { properties?: Record<string, { type?: string }> };
  return Object.keys(properties).filter((name) => properties[name]!.type === 'integer');
}

function withNumbers(given: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  const value = { ...given };
  for (const name of names) {
    const text = value[name];
    if (typeof text === 'string' && /^\d{1,16}$/.test(text)) value[name] = Number(text);
  }
  return value;
}

function sentenceOf(errors: readonly SchemaError[], httpPart: string | undefined): string {
  const error = errors.find(({ keyword }) => keyword !== 'boolean' && keyword !== 'anyOf') ?? errors[0];
  const part = httpPart === 'querystring' ? 'query' : (httpPart ?? 'request');
  if (!error) return `The ${part} is not valid`;
  const place = error.instancePath.slice(1).replaceAll('/', '.');
  const unknown = (error.params as { additionalProperties?: readonly string[] }).additionalProperties?.[0];
  if (unknown !== undefined) return `The ${part} has "${unknown}", which is not known here`;
  return place === '' ? `The ${part} ${error.message}` : `In the ${part}, "${place}" ${error.message}`;
}
