/** Which statement changes what is held: the rules by which all members come to hold the same.
 *
 *  A higher incarnation always wins, since only the node itself raises it. Within one incarnation left outranks dead,
 *  dead suspect, and suspect alive: so an accusation stands until the accused speaks. `dead` from others is an accusation
 *  like `suspect`: a member dies here only when our own suspicion of it has run out, never by hearsay. */
import type { Member, Statement } from './member.js';

export type Weight =
  /** It changes nothing. */
  | 'ignored'
  /** It only brings the profile up to the incarnation held. */
  | 'profile'
  /** One more accuser of what is suspected already. */
  | 'confirms'
  /** It becomes what is held: alive, suspect (also for `dead`), or left. */
  | 'taken';

type Held = Pick<Member, 'state' | 'incarnation' | 'profileIncarnation' | 'boot'>;

export function weigh(statement: Statement, held: Held): Weight {
  if (statement.incarnation > held.incarnation) return 'taken';
  if (statement.state === 'alive' && statement.incarnation > held.profileIncarnation) return 'profile';
  if (statement.incarnation < held.incarnation) return 'ignored';
  switch (statement.state) {
    case 'alive':
      // Two processes under one node id, at one incarnation: all must choose the same.
      return held.state === 'alive' && statement.boot > held.boot ? 'taken' : 'ignored';
    case 'suspect':
    case 'dead':
      if (held.state === 'alive') return 'taken';
      return held.state === 'suspect' ? 'confirms' : 'ignored';
    case 'left':
      return held.state === 'left' ? 'ignored' : 'taken';
  }
}
