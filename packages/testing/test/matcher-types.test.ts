import '../src/vitest.ts'
import { expect, expectTypeOf, it } from 'vitest'
import type { TestEngine } from '../src/index.ts'
import { openEngine } from './open-engine.ts'

it('the matchers are typed: a text and any data, and a promise that must be awaited', async () => {
  const engine = await openEngine()
  type Matchers = ReturnType<typeof expect<TestEngine>>
  expectTypeOf<Matchers['toHavePublished']>().parameters.toEqualTypeOf<[type: string, data?: unknown]>()
  expectTypeOf<Matchers['not']['toHavePublished']>().returns.toEqualTypeOf<Promise<void>>()
  expectTypeOf<Parameters<Matchers['toHavePublishedTimes']>>().toEqualTypeOf<
    [type: string, times: number, data?: unknown]
  >()
  expectTypeOf(engine).toEqualTypeOf<TestEngine>()
  // @ts-expect-error a type is a text
  await expect(expect(engine).toHavePublished(1)).rejects.toThrow('type must be a text')
  // @ts-expect-error the number comes second
  await expect(expect(engine).toHavePublishedTimes('a', {})).rejects.toThrow('times must be')
  await expect(engine).not.toHavePublished('a')
})
