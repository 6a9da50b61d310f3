import { EngineError } from '@keepsend/engine'
import { TestAnswer } from '../../endpoint/test-result.tsx'
import { type TestResult, type TypedTest, exampleFor, tryTest } from '../../endpoint/try-test.ts'
import { unlessOff } from '../../history/unless-off.ts'
import { FieldProblem, described } from '../../parts/field.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import type { Shown } from '../../site/visit.ts'
import { pageNeeding } from '../not-allowed.tsx'
import type { PortalAction, PortalVisit } from '../portal-visit.ts'
import { EndpointHead } from './endpoint-head.tsx'

const PATH = '/endpoints/:id/test'
const MAX_TYPE = 255

/** A test event with a payload of the customer's own, and what the endpoint answered. */
export const portalTestPage = pageNeeding('tests:send', {
  path: PATH,
  section: 'endpoints',
  show: (visit) => testForm(visit, { type: visit.query('type') }),
})

export const portalTestAction: PortalAction = {
  path: PATH,
  needs: 'tests:send',
  async act(sent) {
    const { engine, workspaceId, param, field, by } = sent
    const type = (field('type') ?? '').slice(0, MAX_TYPE)
    if (field('do') === 'example') return testForm(sent, { type })
    const typed = { type, data: field('data') ?? '' }
    const result = await tryTest(engine, { workspaceId, id: param('id') }, { ...typed, by })
    return testForm(sent, typed, result)
  },
}

async function testForm(
  visit: PortalVisit,
  given: { type: string | undefined; data?: string },
  result?: TestResult,
): Promise<Shown> {
  const { engine, workspaceId, reader, param } = visit
  const { text, link } = reader
  const endpoint = await engine.endpoints.get(workspaceId, param('id'))
  const types = engine.eventTypes({ deprecated: false })
  const known = types.find(({ type }) => type === given.type) ?? types[0]
  const typed: TypedTest = {
    type: given.type ?? known?.type ?? 'test',
    data: given.data ?? exampleFor(known, endpoint.eventVersion),
  }
  const problem = result && 'problem' in result ? result : undefined
  const ofData = problem && !(problem.problem instanceof EngineError) ? problem : undefined
  const main = (
    <>
      <EndpointHead endpoint={endpoint} current="test" visit={visit} />
      {problem === undefined ? null : (
        <div class="note bad boxed" role="alert">
          <Icon name="failed" />
          <div>
            <h2>{text('portal.test_not_sent')}</h2>
            <p>
              {ofData ? (
                text.rich('portal.to_change', { n: 1, fields: <a href="#data">{text('portal.field_payload')}</a> })
              ) : (
                <span lang="en">{problem.said}</span>
              )}
            </p>
          </div>
        </div>
      )}
      <div class="split even">
        <form class="stack" method="post" action={link('endpoints', endpoint.id, 'test')}>
          <FormToken reader={reader} />
          <button hidden name="do" value="send" />
          <div class="field">
            <label for="type">{text('column.type')}</label>
            <div class="row nowrap">
              {known ? (
                <select id="type" name="type">
                  {types.map(({ type }) => (
                    <option value={type} selected={type === typed.type}>
                      {type}
                    </option>
                  ))}
                </select>
              ) : (
                <input id="type" name="type" required maxlength={MAX_TYPE} value={typed.type} spellcheck={false} />
              )}
              {known ? (
                <button class="btn" name="do" value="example">
                  {text('portal.load_example')}
                </button>
              ) : null}
            </div>
          </div>
          <div class="field">
            <label for="data">
              {text('portal.payload')} <span class="opt">{text('portal.payload_what')}</span>
            </label>
            <textarea
              id="data"
              name="data"
              rows={17}
              spellcheck={false}
              {...described('data', { problem: ofData?.said, by: 'data-help' })}
            >
              {typed.data}
            </textarea>
            <FieldProblem
              id="data"
              problem={
                ofData &&
                (ofData.problem === 'json'
                  ? text('portal.not_json', { error: ofData.said })
                  : text('portal.not_object'))
              }
            />
            <p class="help" id="data-help">
              {text.rich('portal.payload_how', { data: <span class="mono">data</span> })}
            </p>
          </div>
          <div>
            <button class="btn primary" name="do" value="send">
              <Icon name="send" />
              {text('test.send')}
            </button>
          </div>
        </form>
        {result && 'attempt' in result ? (
          <TestAnswer attempt={result.attempt} href={await requestOf(result, visit)} reader={reader} />
        ) : null}
      </div>
    </>
  )
  return { title: text('portal.test'), main, status: problem ? 400 : undefined }
}

/** The address of the request as it was sent, if the history has it. */
async function requestOf({ attempt: { deliveryId } }: Extract<TestResult, { attempt: unknown }>, visit: PortalVisit) {
  const { engine, workspaceId, reader } = visit
  const found = await unlessOff(() => engine.deliveries.get(workspaceId, deliveryId))
  return found && reader.link('deliveries', deliveryId)
}
