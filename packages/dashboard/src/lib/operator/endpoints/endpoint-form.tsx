import { type Endpoint, type Engine, EngineError } from '@keepsend/engine'
import { EMPTY, type Typed, inputOf, typedIn, typedOf } from '../../endpoint/endpoint-input.ts'
import { EventPicker } from '../../endpoint/event-picker.tsx'
import { RateFields } from '../../endpoint/rate-fields.tsx'
import { UrlField } from '../../endpoint/url-field.tsx'
import { TextField } from '../../parts/field.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import type { Reader } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Action, Page, Shown } from '../../site/visit.ts'
import { findEndpoint } from './find-endpoint.ts'

export const endpointNewPage: Page = {
  path: '/endpoints/new',
  section: 'endpoints',
  show({ engine, reader, query }) {
    return form({ typed: EMPTY, workspaceId: query('workspace') ?? '', engine, reader })
  },
}

export const endpointEditPage: Page = {
  path: '/endpoints/:workspace/:id/edit',
  section: 'endpoints',
  async show(visit) {
    const { engine, reader } = visit
    const { workspaceId, endpoint } = await findEndpoint(visit)
    return form({ typed: typedOf(endpoint), workspaceId, endpoint, engine, reader })
  },
}

export const ENDPOINT_FORM_ACTIONS: readonly Action[] = [
  {
    path: '/endpoints/new',
    section: 'endpoints',
    async act(sent) {
      const { engine, reader, by } = sent
      const typed = typedIn(sent)
      const workspaceId = sent.field('workspace') ?? ''
      try {
        const { endpoint } = await engine.endpoints.create(workspaceId, inputOf(typed), { by })
        return reader.link('endpoints', endpoint.workspaceId, endpoint.id)
      } catch (error) {
        return refused(error, { typed, workspaceId, engine, reader })
      }
    },
  },
  {
    path: '/endpoints/:workspace/:id/edit',
    section: 'endpoints',
    async act(sent) {
      const { engine, reader, by } = sent
      const { workspaceId, endpoint } = await findEndpoint(sent)
      const typed = typedIn(sent)
      try {
        const version = Number(sent.field('version'))
        await engine.endpoints.update(workspaceId, endpoint.id, inputOf(typed), { by, ifVersion: version })
        return reader.link('endpoints', workspaceId, endpoint.id)
      } catch (error) {
        return refused(error, { typed, workspaceId, endpoint, engine, reader })
      }
    },
  },
]

interface FormParts {
  typed: Typed
  workspaceId: string
  /** The endpoint that is changed; undefined: a new one. */
  endpoint?: Endpoint
  /** Why the form was refused. */
  problem?: string
  engine: Engine
  reader: Reader
}

/** Shows the form again with what was typed; an error that is not about it goes on. */
function refused(error: unknown, parts: FormParts): Shown {
  if (!(error instanceof EngineError) || error.code === 'not_found' || error.code === 'not_accepted') throw error
  return { ...form({ ...parts, problem: error.message }), status: error.code === 'conflict' ? 409 : 400 }
}

function form({ typed, workspaceId, endpoint, problem, engine, reader }: FormParts): Shown {
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
              <input id="workspace" name="workspace" required maxlength={255} value={workspaceId} />
            </div>
          )}
          <UrlField engine={engine} value={typed.url} reader={reader} />
          <TextField
            id="description"
            label={text('fact.description')}
            about={text('form.optional')}
            value={typed.description}
            max={500}
          />
          <EventPicker typed={typed} types={engine.eventTypes()} othersToo reader={reader} />
          <RateFields typed={typed} reader={reader} />
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
