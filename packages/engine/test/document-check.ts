// Compares every request to a rig's routes, and its answer, with the OpenAPI document.
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Engine } from '../src/index.ts'
import { type AnswerOf, type Document, type Operation, type Parameter, type Schema, closed } from './document.ts'

const HEADERS_OF_EVERY_ANSWER = ['cache-control', 'content-length', 'content-type', 'x-content-type-options']

/** Bodies that tests give as text; streams are not compared. */
const bodies = new WeakMap<Request, string>()

let shared: Promise<Checks> | undefined

/** The engine with routes that throw if they differ from the document. */
export function checked(engine: Engine): Engine {
  const { routes } = engine
  const direct = routes.fetch
  routes.request = (input, init, env, context) => {
    const url = input instanceof Request ? input : new URL(input.toString(), 'http://localhost')
    const request = new Request(url, init)
    if (typeof init?.body === 'string') bodies.set(request, init.body)
    return routes.fetch(request, env, context)
  }
  routes.fetch = async (request, ...rest) => {
    const answer = await direct(request, ...rest)
    if (['/openapi.json', '/asyncapi.json'].includes(new URL(request.url).pathname)) return answer
    shared ??= readDocument(direct)
    const problems = await problemsOf(await shared, request, answer.clone())
    if (problems.length === 0) return answer
    throw new Error(`${request.method} ${request.url} ${answer.status} is not as documented: ${problems.join('; ')}`)
  }
  return engine
}

export interface Checks {
  document: Document
  /** The problems of a value under a schema. */
  validate: (schema: object, value: unknown) => string[]
}

export async function readDocument(fetch: Engine['routes']['fetch']): Promise<Checks> {
  const text = await (await fetch(new Request('http://localhost/openapi.json'))).text()
  // Each schema is compiled separately, and finds the others here.
  const document = closed(
    JSON.parse(text.replaceAll('"#/components/schemas/', '"openapi#/components/schemas/')) as Document,
  )
  const ajv = addFormats.default(new Ajv2020.default({ strict: false, allErrors: true }))
  ajv.addSchema(document, 'openapi')
  const compiled = new Map<object, ValidateFunction>()
  return {
    document,
    validate(schema, value) {
      const validate = compiled.get(schema) ?? ajv.compile(schema)
      compiled.set(schema, validate)
      return validate(value)
        ? []
        : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
    },
  }
}

async function problemsOf(checks: Checks, request: Request, answer: Response): Promise<string[]> {
  const operation = operationOf(checks.document, request)
  const described = operation?.responses[answer.status] ?? other(request, operation, answer.status)
  if (!described) return [`${answer.status} is no answer of it`]
  return [
    ...headerProblems(checks, described, answer),
    ...(await bodyProblems(checks, described, request, answer)),
    // A refused request may have any body.
    ...(operation && answer.ok ? requestProblems(checks, operation, request) : []),
  ]
}

function operationOf({ paths }: Document, request: Request): Operation | undefined {
  const path = Object.keys(paths).find((one) => segmentsOf(one, new URL(request.url).pathname))
  const method = request.method === 'HEAD' ? 'get' : request.method.toLowerCase()
  return path === undefined ? undefined : paths[path]?.[method]
}

/** The parameters of a matching path: `/endpoints/{id}` and `/endpoints/ep_1` give `{ id: 'ep_1' }`. */
function segmentsOf(template: string, path: string): Record<string, string> | undefined {
  const [wanted, found] = [template.split('/'), path.split('/')]
  if (wanted.length !== found.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [at, part] of wanted.entries()) {
    if (part.startsWith('{')) parameters[part.slice(1, -1)] = decodeURIComponent(found[at] ?? '')
    else if (part !== found[at]) return undefined
  }
  return parameters
}

const PROBLEM: Schema = {
  type: 'object',
  properties: { type: {}, title: {}, status: {}, detail: {}, code: {} },
  required: ['type', 'title', 'status', 'detail', 'code'],
  additionalProperties: false,
}

/** The answers to requests that are not operations. */
function other(request: Request, operation: Operation | undefined, status: number): AnswerOf | undefined {
  if (request.method === 'OPTIONS' && status === 204) return { headers: { Allow: { required: true, schema: {} } } }
  if (operation || ![401, 404, 405, 429, 500, 503].includes(status)) return undefined
  const headers = {
    Allow: { required: status === 405, schema: {} },
    'WWW-Authenticate': { schema: {} },
    'Retry-After': { schema: {} },
  }
  return { headers, content: { 'application/problem+json': { schema: PROBLEM } } }
}

function headerProblems({ document, validate }: Checks, { headers = {} }: AnswerOf, answer: Response): string[] {
  const known = new Set([...HEADERS_OF_EVERY_ANSWER, ...Object.keys(headers).map((name) => name.toLowerCase())])
  const unknown = [...answer.headers.keys()].filter((name) => !known.has(name))
  return [
    ...unknown.map((name) => `the header ${name} is not documented`),
    ...Object.entries(headers).flatMap(([name, given]) => {
      const header = '$ref' in given ? document.components.headers[name] : given
      const value = answer.headers.get(name)
      if (!header) return [`${name} has no component`]
      if (value === null) return header.required === true ? [`the header ${name} is missing`] : []
      return validate(header.schema, parsed(header.schema, value)).map((message) => `${name}: ${message}`)
    }),
  ]
}

async function bodyProblems(
  { validate }: Checks,
  { content, description = '' }: AnswerOf,
  request: Request,
  answer: Response,
) {
  const text = await answer.text()
  if (request.method === 'HEAD' || !content) return text === '' ? [] : ['a body']
  const type = (answer.headers.get('content-type') ?? '').split(';', 1)[0] ?? ''
  const schema = content[type]?.schema
  if (!schema) return [`the content-type ${type} is not documented`]
  const parsedBody = (type === 'application/x-ndjson' ? text : JSON.parse(text)) as { code?: string }
  const body = request.method === 'POST' && answer.ok ? inFull(new URL(request.url).pathname, parsedBody) : parsedBody
  const codes =
    type === 'application/problem+json' ? [...description.matchAll(/`(\w+)`: /g)].map(([, code]) => code) : []
  const isListed = codes.length === 0 || codes.includes(body.code)
  return [...validate(schema, body), ...(isListed ? [] : [`the code ${body.code} is not documented`])]
}

/** Requests and answers of a publish in the full form; the document omits the short ones: a list, an event without `object`. */
function inFull<Value>(path: string, value: Value): Value {
  if (path !== '/events') return value
  if (Array.isArray(value)) return { object: 'list', data: value.map((one: unknown) => inFull(path, one)) } as Value
  const { object = 'event', data } = value as { object?: string; data?: unknown }
  return {
    ...value,
    object,
    ...(object === 'list' && Array.isArray(data) && { data: data.map((one: unknown) => inFull(path, one)) }),
  }
}

/** An accepted request must fit the document. */
function requestProblems({ document, validate }: Checks, operation: Operation, request: Request): string[] {
  const { parameters = [], requestBody } = operation
  const { searchParams, pathname } = new URL(request.url)
  const [path = ''] =
    Object.entries(document.paths).find(([, operations]) => Object.values(operations).includes(operation)) ?? []
  const inPath = segmentsOf(path, pathname) ?? {}
  const values = {
    query: (name: string) => searchParams.get(name),
    path: (name: string) => inPath[name] ?? null,
    header: (name: string) => request.headers.get(name),
  }
  const text = bodies.get(request)
  const unknown = [...searchParams.keys()].filter(
    (name) => !parameters.some((one) => one.in === 'query' && one.name === name),
  )
  return [
    ...unknown.map((name) => `the parameter ${name} is not documented`),
    ...parameters.flatMap((parameter: Parameter) => {
      const value = values[parameter.in](parameter.name)
      if (value === null) return parameter.required === true ? [`${parameter.name} is missing`] : []
      return validate(parameter.schema, parsed(parameter.schema, value)).map(
        (message) => `${parameter.name}: ${message}`,
      )
    }),
    ...(requestBody && text !== undefined
      ? validate(requestBody.content['application/json']?.schema ?? {}, inFull(pathname, JSON.parse(text))).map(
          (message) => `body${message}`,
        )
      : []),
  ]
}

/** The value that a client writes into a URL or a header. */
function parsed({ type }: { type?: unknown }, value: string): unknown {
  return type === 'integer' ? Number(value) : value
}
