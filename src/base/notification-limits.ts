/** Limits of notification channels. */
export const notificationLimits = {
  /** Of a channel the newest so many count, whatever became of them: so much is known of it in memory and in a snapshot. */
  notificationsCounted: 10_000,
  /** A notification as JSON. */
  notificationBytesMax: 65_536,
  notificationTitleBytesMax: 1_024,
  /** Named in one request as read. */
  notificationsReadMax: 1_000,
} as const;
