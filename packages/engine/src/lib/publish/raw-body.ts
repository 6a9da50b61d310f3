import { contentTypeProblem } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'

/** A body of the caller's own: signed, stored and sent byte for byte, in UTF-8, without an envelope of ours. */
export interface RawBody {
  /** Any text, also an empty one: well-formed Unicode without a NUL, at most 256 KiB in UTF-8. */
  body: string
  /** Sent as `content-type` as it is: a media type of at most 255 visible ASCII characters, with no charset but UTF-8. */
  contentType: string
}

/**
 * What a caller without types may have handed in, checked; its size is not.
 *
 * @throws {EngineError} `invalid_event`, quoting nothing of the body
 */
export function checkRawBody(raw: unknown): RawBody {
  if (typeof raw !== 'object' || raw === null) {
    throw invalid(`raw must be an object with body and contentType; found ${raw === null ? 'null' : typeof raw}`)
  }
  const { body, contentType, ...others } = raw as Partial<Record<string, unknown>>
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    throw invalid(`raw has body and contentType and nothing else; found ${JSON.stringify(unknown.slice(0, 100))}`)
  }
  if (typeof body !== 'string') throw invalid(`raw.body must be a text; found ${typeof body}`)
  if (!body.isWellFormed() || body.includes('\0')) {
    throw invalid('raw.body must be well-formed Unicode without a NUL: write bytes that are no text in base64')
  }
  const problem = contentTypeProblem(contentType)
  if (problem !== undefined) throw invalid(`raw.contentType ${problem}`)
  return { body, contentType: contentType as string }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_event', message)
}
