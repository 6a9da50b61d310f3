import { type Endpoint, EngineError, type EventType } from '@keepsend/engine'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import type { Reader } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Action, Page, Shown } from '../../site/visit.ts'
import { type Typed, inputOf, typedIn, typedOf } from './endpoint-input.ts'
import { findEndpoint } from './find-endpoint.ts'

export const endpointNewPage: Page = {
  path: '/endpoints/new',
  section: 'endpoints',
  show({ engine, reader, query }) {
    const typed = {
      workspace: query('workspace') ?? '',
      url: '',
      description: '',
      all: true,
      types: [],
      rate: '',
      retryStatuses: '',
    }
    return form({ typed, types: engine.eventTypes(), reader })
  },
}

export const endpointEditPage: Page = {
  path: '/endpoints/:workspace/:id/edit',
  section: 'endpoints',
  async show(visit) {
    const { endpoint } = await findEndpoint(visit)
    return form({ typed: typedOf(endpoint), types: visit.engine.eventTypes(), endpoint, reader: visit.reader })
  },
}

export const ENDPOINT_FORM_ACTIONS: readonly Action[] = [
  {
    path: '/endpoints/new',
    section: 'endpoints',
    async act(sent) {
      const { engine, reader, by } = sent
      const typed = typedIn(sent)
      try {
        const { endpoint } = await engine.endpoints.create(typed.workspace, inputOf(typed), { by })
        return reader.link('endpoints', endpoint.workspaceId, endpoint.id)
      } catch (error) {
        return refused(error, { typed, types: engine.eventTypes(), reader })
      }
    },
  },
  {
    path: '/endpoints/:workspace/:id/edit',
    section: 'endpoints',
    async act(sent) {
      const { engine, reader, by } = sent
      const { workspaceId, endpoint } = await findEndpoint(sent)
      const typed = { ...typedIn(sent), workspace: workspaceId }
      try {
        const version = Number(sent.field('version'))
        await engine.endpoints.update(workspaceId, endpoint.id, inputOf(typed), { by, ifVersion: version })
        return reader.link('endpoints', workspaceId, endpoint.id)
      } catch (error) {
        return refused(error, { typed, types: engine.eventTypes(), endpoint, reader })
      }
    },
  },
]

interface FormParts {
  typed: Typed
  types: readonly EventType[]
  /** The endpoint that is changed; undefined: a new one. */
  endpoint?: Endpoint
  /** Why the form was refused. */
  problem?: string
  reader: Reader
}

/** Shows the form again with what was typed; an error that is not about it goes on. */
function refused(error: unknown, parts: FormParts): Shown {
  if (!(error instanceof EngineError) || error.code === 'not_found' || error.code === 'not_accepted') throw error
  return { ...form({ ...parts, problem: error.message }), status: error.code === 'conflict' ? 409 : 400 }
}

function form({ typed, types, endpoint, problem, reader }: FormParts): Shown {
  const { text, link } = reader
  const title = text(endpoint ? 'endpoint.edit_title' : 'endpoints.add_title')
  const back = endpoint ? link('endpoints', endpoint.workspaceId, endpoint.id) : link('endpoints')
  const main = (
    <>
      <Head title={title} crumbs={<a href={link('endpoints')}>{text('nav.endpoints')}</a>} reader={reader} />
      {problem === undefined ? null : (
        <div class="note bad" role="alert">
          <Icon name="failed" />
          <div>
            <h2>{text('form.refused')}</h2>
            <p>{problem}</p>
          </div>
        </div>
      )}
      <div class="sec noline">
        <form
          class="stack form"
          method="post"
          action={endpoint ? link('endpoints', endpoint.workspaceId, endpoint.id, 'edit') : link('endpoints', 'new')}
        >
          <FormToken reader={reader} />
          {endpoint ? <input type="hidden" name="version" value={endpoint.version} /> : null}
          {endpoint ? null : (
            <div class="field">
              <label for="workspace">{text('fact.workspace')}</label>
              <input id="workspace" name="workspace" required maxlength={255} value={typed.workspace} />
            </div>
          )}
          <div class="field">
            <label for="url">URL</label>
            <input
              id="url"
              name="url"
              type="url"
              required
              inputmode="url"
              autocomplete="off"
              spellcheck={false}
              value={typed.url}
              placeholder="https://example.com/webhooks"
              aria-describedby="url-rules"
            />
            <ul class="rules" id="url-rules">
              {(['url.https', 'url.public', 'url.port', 'url.credentials'] as const).map((rule) => (
                <li>
                  <Icon name="dot" />
                  <span>{text(rule)}</span>
                </li>
              ))}
            </ul>
          </div>
          <div class="field">
            <label for="description">
              {text('fact.description')} <span class="opt">{text('form.optional')}</span>
            </label>
            <input id="description" name="description" maxlength={500} value={typed.description} />
          </div>
          <Events typed={typed} types={types} reader={reader} />
          <div class="cols">
            <div class="field">
              <label for="rate">
                {text('fact.rate')} <span class="opt">{text('form.per_second')}</span>
              </label>
              <input
                id="rate"
                name="rate"
                type="number"
                min="1"
                max="10000"
                value={typed.rate}
                placeholder={text('none')}
              />
            </div>
            <div class="field">
              <label for="retryStatuses">{text('form.retry_statuses')}</label>
              <input
                id="retryStatuses"
                name="retryStatuses"
                value={typed.retryStatuses}
                placeholder="409, 423"
                inputmode="numeric"
              />
            </div>
          </div>
          <div class="row">
            <button class="btn primary" type="submit">
              {text(endpoint ? 'form.save' : 'endpoints.add')}
            </button>
            <a class="btn" href={back}>
              {text('form.cancel')}
            </a>
          </div>
        </form>
      </div>
    </>
  )
  return { title, main }
}

function Events({ typed, types, reader: { text } }: { typed: Typed; types: readonly EventType[]; reader: Reader }) {
  // Subscriptions that are no type of the catalog, such as patterns, stay.
  const known = types.map(({ type }) => type)
  const others = typed.types.filter((type) => !known.includes(type))
  return (
    <fieldset class="stack tight">
      <legend>{text('form.events')}</legend>
      <label class="check">
        <input type="radio" name="all" value="all" checked={typed.all} />
        <span>
          {text('form.all_events')} <span class="help">{text('form.all_events_what')}</span>
        </span>
      </label>
      <label class="check">
        <input type="radio" name="all" value="some" checked={!typed.all} />
        <span>{text('form.some_events')}</span>
      </label>
      {types.length === 0 ? null : (
        <div class="tree">
          <ul>
            {[...Map.groupBy(types, ({ type }) => type.split('.')[0] ?? type)].map(([group, ofGroup]) => (
              <li>
                <details open class="fold">
                  <summary>
                    <span class="mono">{group}</span>
                  </summary>
                  <ul>
                    {ofGroup.map(({ type, description }) => (
                      <li>
                        <label class="check">
                          <input type="checkbox" name="types" value={type} checked={typed.types.includes(type)} />
                          <span>
                            <span class="mono">{type}</span> <span class="help">{description ?? ''}</span>
                          </span>
                        </label>
                      </li>
                    ))}
                  </ul>
                </details>
              </li>
            ))}
          </ul>
        </div>
      )}
      <div class="field">
        <label for="patterns">{text('form.patterns')}</label>
        <input
          id="patterns"
          name="patterns"
          value={others.join(', ')}
          placeholder="message.*, member.joined"
          spellcheck={false}
        />
      </div>
    </fieldset>
  )
}
