import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { EngineError, type EngineErrorCode, OPERATOR_SCOPES, SCOPES } from '../src/index.ts'
import { OPTION_NAMES } from './option-names.ts'
import { rig } from './rig.ts'
import { documentOf, routesOf } from './routes.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const page = readFileSync(new URL('../../../docs/http-api.md', import.meta.url), 'utf8')

const EVERY_CODE = Object.keys({
  invalid_request: true,
  unauthenticated: true,
  forbidden: true,
  not_found: true,
  not_retained: true,
  idempotency_in_flight: true,
  conflict: true,
  precondition_failed: true,
  payload_too_large: true,
  method_not_allowed: true,
  unsupported_media_type: true,
  invalid_event: true,
  invalid_endpoint: true,
  idempotency_mismatch: true,
  secret_unreadable: true,
  invalid_option: true,
  commit_unconfirmed: true,
  not_accepted: true,
  too_many_endpoints: true,
  too_many_api_keys: true,
  too_many_portal_links: true,
  too_many_deliveries: true,
  too_many_waiting: true,
  too_many_requests: true,
  too_many_idempotency_records: true,
  too_many_replays: true,
  erased: true,
} satisfies Record<EngineErrorCode, true>) as EngineErrorCode[]

describe('the README', () => {
  it('has an example that runs as it stands: one commit, one replay, one delivery that waits', async () => {
    const example = /```ts\n(\/\/ example\.ts\n[^]*?)```/.exec(readme)?.[1] ?? ''
    const options = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', example]
    // From inside the package, whose name then resolves to itself.
    const { stdout } = await promisify(execFile)(process.execPath, options, {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, KEEPSEND_SECRET_KEY: `k1:${randomBytes(32).toString('base64')}` },
    })
    const body = '{"id":"m1","text":"hello"}'
    expect(stdout).toBe(`201 committed ${body}\n201 true ${body}\nwaiting to be delivered: 1\n`)
  }, 30_000)

  it('names every route with its scope', async () => {
    for (const { method, path, scope } of routesOf(await documentOf(await rig()))) {
      const short = `…/${path.split('/').at(-1)}`
      const row = readme
        .split('\n')
        .find(
          (line) =>
            line.startsWith('| `') && [`\`${method} ${path}\``, `\`${short}\``].some((name) => line.includes(name)),
        )
      expect(row, `${method} ${path}`).toContain(scope === undefined ? '| none' : `\`${scope}\``)
    }
  })

  it.each(EVERY_CODE)('names the error %s with its status, and so does the page on the HTTP API', (code) => {
    const row = readme
      .split('\n')
      .find((line) => line.startsWith('| `') && line.includes(`\`${code}\``) && /\| \d{3}/.test(line))
    const status = String(new EngineError(code, '').status)
    expect(row).toContain(status)
    expect(page.split('\n').find((line) => line.startsWith(`| ${status} `))).toContain(`\`${code}\``)
  })

  it('names every option of createEngine', () => {
    const firstCells = readme.split('\n').map((line) => /^\| [^|]+\|/.exec(line)?.[0] ?? '')
    const isNamed = (name: string): boolean => firstCells.some((cell) => cell.includes(`\`${name}\``))
    expect(Object.keys(OPTION_NAMES.createEngine).filter((name) => !isNamed(name))).toEqual([])
  })
})

describe('the page on the HTTP API', () => {
  it('lists for each status the codes that the document has, and that of a wrong method', async () => {
    const { components } = await documentOf(await rig())
    const documented = Object.entries(components.schemas)
      // A problem of an endpoint has a state, and no status.
      .filter(([name, { properties = {} }]) => name.endsWith('Problem') && properties['state'] === undefined)
      .map(([, { properties = {} }]) => [properties['status']?.const, properties['code']?.enum])
    const onPage = [...page.matchAll(/^\| (\d{3}) +\|(.*)\|$/gm)].map(([, status, cell = '']) => {
      const codes = [...cell.matchAll(/`(\w+)`/g)].map(([, code = '']) => code)
      return [
        Number(status),
        new Set(codes.filter((code) => code === 'internal' || EVERY_CODE.some((one) => one === code))),
      ]
    })
    expect(Object.fromEntries(onPage)).toEqual({
      ...Object.fromEntries(documented.map(([status, codes]) => [status, new Set(codes as string[])])),
      405: new Set(['method_not_allowed']),
    })
  })

  it('names every scope, and no route that the document lacks', async () => {
    const { paths } = await documentOf(await rig())
    for (const scope of [...SCOPES, ...OPERATOR_SCOPES]) expect(page).toContain(`\`${scope}\``)
    const named = [...`${page}${readme}`.matchAll(/`(GET|POST|PATCH|DELETE) (\/[\w/{}.-]*)`/g)]
    expect(named.length).toBeGreaterThan(20)
    for (const [text, method = '', path = ''] of named) {
      const isRoute =
        ['/openapi.json', '/asyncapi.json'].includes(path) || paths[path]?.[method.toLowerCase()] !== undefined
      expect([text, isRoute]).toEqual([text, true])
    }
  })
})
