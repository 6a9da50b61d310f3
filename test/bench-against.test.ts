// `bench --against`: its statistics, and what it refuses before anything is measured.
import { expect, test } from 'vitest'
import { medianInterval } from '../bench/src/against/interval.ts'
import { readArguments } from '../bench/src/arguments.ts'
import { run } from './consumer.ts'

const known = {
  all: ['enqueue', 'drain', 'latency', 'neighbours'],
  comparable: ['drain', 'enqueue'],
  parts: ['K1.1', 'K1.4'],
}
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

test('the interval of 15 values lies between the 4th and the 5th from either end', () => {
  // Of these two, one covers 96.5% and the other 88.1%.
  const interval = medianInterval(upTo(15))
  expect(interval?.low).toBeCloseTo(4.906, 3)
  expect(interval?.high).toBeCloseTo(11.094, 3)
})

test('the interval does not depend on the order of the values, and one outlier does not move it', () => {
  const interval = medianInterval(upTo(15))
  expect(medianInterval(upTo(15).reverse())).toEqual(interval)
  expect(medianInterval([...upTo(14), 1e6])).toEqual(interval)
})

test('the interval holds the true median in 90% of samples, also of a skewed distribution', () => {
  const random = sequence()
  for (const count of [15, 16, 21]) {
    const samples = Array.from({ length: 4000 }, () =>
      medianInterval(Array.from({ length: count }, () => -Math.log(1 - random()))),
    )
    const holding = samples.filter((interval) => interval && interval.low <= Math.LN2 && Math.LN2 <= interval.high)
    expect(Math.abs(holding.length / samples.length - 0.9), `${count} values`).toBeLessThan(0.015)
  }
})

test('5 values give an interval, and fewer give none', () => {
  expect(medianInterval(upTo(5))?.low).toBeCloseTo(1.353, 3)
  expect(medianInterval(upTo(4))).toBeUndefined()
  expect(medianInterval([])).toBeUndefined()
})

test('a comparison has 15 rounds, a target of 0.97 and every workload that can be compared, unless told otherwise', () => {
  expect(readArguments(['--against', 'main'], known)).toMatchObject({
    workloads: known.comparable,
    rounds: 15,
    events: 20_000,
    against: 'main',
    atLeast: 0.97,
  })
  const told = ['drain', '--against', 'main', '--rounds', '31', '--events', '5000', '--at-least', '1.2']
  expect(readArguments(told, known)).toMatchObject({ workloads: ['drain'], rounds: 31, events: 5000, atLeast: 1.2 })
  expect(readArguments(['--against', 'main', '--quick', '--rounds', '3'], known)).toMatchObject({ rounds: 3 })
})

test('a run without a comparison has every workload, in 5 rounds', () => {
  expect(readArguments([], known)).toEqual({
    workloads: known.all,
    rounds: 5,
    events: 20_000,
    quick: false,
    atLeast: 0.97,
  })
})

test('a part of neighbours is chosen by scenario, store and processes', () => {
  const told = ['neighbours', '--only', 'K1.1,K1.4', '--store', 'postgres', '--processes', '4']
  const part = { only: ['K1.1', 'K1.4'], store: 'postgres', processes: 4 }
  expect(readArguments(told, known)).toMatchObject({ workloads: ['neighbours'], ...part })
})

for (const { args, message } of [
  { args: ['neighbours', '--only', 'K9'], message: '--only takes K1.1, K1.4; found K9' },
  { args: ['neighbours', '--store', 'redis'], message: '--store must be sqlite or postgres; found redis' },
  { args: ['neighbours', '--processes', '0'], message: '--processes must be a whole number, 1 or more; found 0' },
  { args: ['drain', '--store', 'sqlite'], message: 'choose a part of neighbours' },
  { args: ['--only', 'K1.1'], message: 'choose a part of neighbours' },
  { args: ['drain', 'latency', '--against', 'main'], message: 'cannot compare latency; it compares drain, enqueue' },
  { args: ['--against', 'main', '--rounds', '14'], message: 'needs 15 rounds or more, or --quick; found --rounds 14' },
  { args: ['--against', 'main', '--at-least', '0'], message: '--at-least must be a ratio above 0' },
  { args: ['--at-least', '0.9'], message: 'give --against too' },
  { args: ['drian'], message: 'no workload "drian"; it has enqueue, drain, latency, neighbours' },
  { args: ['--rounds', 'many'], message: '--rounds must be a whole number, 1 or more; found many' },
  { args: ['--events', '999'], message: '--events must be 1000 or more; found 999' },
  { args: ['--against'], message: '--against' },
]) {
  test(`bench ${args.join(' ')} is refused, and the message says why`, () => {
    expect(() => readArguments(args, known)).toThrow(message)
  })
}

const nowhere = ['drain', '--against', 'no-such-ref']

test('bench ends with 2 for a ref that names no commit, before it measures anything', () => {
  const { code, output } = run(process.execPath, ['--conditions=@keepsend/source', 'bench/src/index.ts', ...nowhere])
  expect({ code, output: output.trim() }).toEqual({
    code: 2,
    output: '--against no-such-ref: there is no such commit; give a branch, a tag or a hash of this repository',
  })
})

/** The same numbers from 0 to 1 in every run. */
function sequence(): () => number {
  let state = 1
  return () => {
    // The constants of Numerical Recipes.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
